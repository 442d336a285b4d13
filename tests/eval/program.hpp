#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace moonshift::test {

/// A piece of a script that a grammar made of `symbol`: texts, and smaller pieces between them. The
/// pieces of a "block" are statements, each on its own lines, and there are no texts.
struct Piece {
  std::string_view symbol;  ///< of the grammar, which lives for ever
  std::vector<std::string> texts;
  std::vector<Piece> pieces;
};

/// A script for EVAL whose parts are known, so that it can be made smaller.
struct Program {
  std::vector<std::string> keys, arguments;
  Piece script;

  std::string text() const;
};

/// The program without all that can be left out or made simpler while it still fails, after
/// `attempts` at most.
Program shrunk(Program program, const std::function<bool(const Program&)>& fails,
               int attempts = 2000);

}  // namespace moonshift::test
