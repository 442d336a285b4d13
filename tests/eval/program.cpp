#include "eval/program.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace moonshift::test {

namespace {

class Printer {
 public:
  void print(const Piece& piece) {
    if (piece.symbol == "block") {
      indentation_ += 2;
      for (const Piece& statement : piece.pieces) {
        print(statement);
        print("\n");
      }
      indentation_ -= 2;
      return;
    }
    for (std::size_t i = 0; i < piece.texts.size(); ++i) {
      print(piece.texts[i]);
      if (i < piece.pieces.size()) print(piece.pieces[i]);
    }
  }

  std::string take() { return std::move(text_); }

 private:
  void print(std::string_view text) {
    for (const char c : text) {
      if (c != '\n' && at_line_start()) text_.append(static_cast<std::size_t>(indentation_), ' ');
      text_ += c;
    }
  }

  bool at_line_start() const { return text_.empty() || text_.back() == '\n'; }

  std::string text_;
  int indentation_ = -2;  ///< the script itself is a block, too
};

/// Takes a smaller piece, and says whether it is good enough to stop there.
using Taker = std::function<bool(Piece)>;

bool offer_shorter_blocks(const Piece& block, const Taker& take) {
  const std::size_t size = block.pieces.size();
  for (std::size_t length = size; length > 0; length /= 2) {
    for (std::size_t begin = 0; begin + length <= size; begin += length) {
      Piece shorter = block;
      const auto first = shorter.pieces.begin() + static_cast<std::ptrdiff_t>(begin);
      shorter.pieces.erase(first, first + static_cast<std::ptrdiff_t>(length));
      if (take(std::move(shorter))) return true;
    }
  }
  // Instead of a statement the blocks in it, without what surrounds them.
  for (std::size_t i = 0; i < size; ++i) {
    Piece flatter = block;
    flatter.pieces.erase(flatter.pieces.begin() + static_cast<std::ptrdiff_t>(i));
    std::size_t place = i;
    for (const Piece& inner : block.pieces[i].pieces) {
      if (inner.symbol != "block") continue;
      flatter.pieces.insert(flatter.pieces.begin() + static_cast<std::ptrdiff_t>(place),
                            inner.pieces.begin(), inner.pieces.end());
      place += inner.pieces.size();
    }
    if (place > i && take(std::move(flatter))) return true;
  }
  return false;
}

bool offer_same_symbol_within(const Piece& piece, std::string_view symbol, const Taker& take) {
  return std::ranges::any_of(piece.pieces, [&](const Piece& inner) {
    return (inner.symbol == symbol && take(inner)) || offer_same_symbol_within(inner, symbol, take);
  });
}

bool offer_simplest(const Piece& piece, const Taker& take) {
  constexpr std::array<std::pair<std::string_view, const char*>, 7> kSimplest{{{"number", "1"},
                                                                               {"integer", "1"},
                                                                               {"string", "'a'"},
                                                                               {"boolean", "true"},
                                                                               {"numbers", "{1}"},
                                                                               {"strings", "{'a'}"},
                                                                               {"any", "1"}}};
  return std::ranges::any_of(kSimplest, [&](const auto& simplest) {
    return simplest.first == piece.symbol &&
           piece.texts != std::vector<std::string>{simplest.second} &&
           take({piece.symbol, {simplest.second}, {}});
  });
}

/// Offers what is smaller by one step, the largest steps first.
bool offer_smaller(const Piece& piece, const Taker& take) {
  if (piece.symbol == "block") {
    if (offer_shorter_blocks(piece, take)) return true;
  } else if (offer_simplest(piece, take) || offer_same_symbol_within(piece, piece.symbol, take)) {
    return true;
  }
  for (std::size_t i = 0; i < piece.pieces.size(); ++i) {
    const bool taken = offer_smaller(piece.pieces[i], [&](Piece smaller) {
      Piece whole = piece;
      whole.pieces[i] = std::move(smaller);
      return take(std::move(whole));
    });
    if (taken) return true;
  }
  return false;
}

}  // namespace

std::string Program::text() const {
  Printer printer;
  printer.print(script);
  return printer.take();
}

Program shrunk(Program program, const std::function<bool(const Program&)>& fails, int attempts) {
  bool became_smaller = true;
  while (became_smaller && attempts > 0) {
    Program candidate = program;
    became_smaller = offer_smaller(program.script, [&](Piece smaller) {
      if (--attempts < 0) return true;
      candidate.script = std::move(smaller);
      return fails(candidate);
    });
    if (became_smaller && attempts >= 0) program = std::move(candidate);
  }
  return program;
}

}  // namespace moonshift::test
