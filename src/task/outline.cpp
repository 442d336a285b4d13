#include "task/outline.hpp"

#include <algorithm>
#include <array>

namespace moonshift::task {

namespace {

using lua::Token;

constexpr std::array<std::string_view, 15> kBinary{
    "+", "-", "*", "/", "%", "^", "..", "~=", "==", "<", "<=", ">", ">=", "and", "or"};

}  // namespace

/// Goes through the tokens once, by Lua's grammar. What compiles needs no check here.
class Outline::Reader {
 public:
  explicit Reader(Outline& outline) : out_(outline) {}

  void read() {
    while (!at_end()) {
      const std::size_t first = at_;
      top_ = {};
      const std::size_t depth = scope_.size();
      statement();
      for (std::size_t i = depth; i < scope_.size(); ++i) {
        out_.variables_[scope_[i]].is_top = true;
        top_.defines.push_back({scope_[i], {}});
      }
      top_.range = {first, at_};
      out_.statements_.push_back(std::move(top_));
    }
  }

 private:
  bool at_end() const { return at_ >= out_.tokens_.size(); }
  bool is(std::string_view symbol) const { return !at_end() && out_.tokens_[at_].is(symbol); }
  bool take(std::string_view symbol) {
    if (!is(symbol)) return false;
    ++at_;
    return true;
  }

  std::size_t declare(std::size_t token, bool is_parameter) {
    out_.variables_.push_back({out_.text(token), token, is_parameter, false});
    out_.meaning_[token] = out_.variables_.size() - 1;
    return out_.variables_.size() - 1;
  }

  void resolve(std::size_t token) {
    const auto found = std::find_if(scope_.rbegin(), scope_.rend(), [&](std::size_t variable) {
      return out_.variables_[variable].name == out_.text(token);
    });
    out_.meaning_[token] = found == scope_.rend() ? kGlobal : *found;
  }

  void block() {
    const std::size_t depth = scope_.size();
    ++nesting_;
    while (!at_end() && !is("end") && !is("else") && !is("elseif") && !is("until")) statement();
    --nesting_;
    if (take("until")) expression();  // sees the block's locals
    scope_.resize(depth);
  }

  void statement() {
    if (take(";") || take("break")) return;
    if (take("local")) return take("function") ? local_function() : local();
    if (take("function")) return named_function();
    if (take("return")) return return_values();
    if (take("if")) return conditional();
    if (take("while")) {
      expression();
      return enclosed();
    }
    if (take("for")) return loop();
    if (take("repeat")) return block();
    if (is("do")) return enclosed();
    assignment_or_call();
  }

  /// do ... end
  void enclosed() {
    take("do");
    block();
    take("end");
  }

  void conditional() {
    do {
      expression();
      take("then");
      block();
    } while (take("elseif"));
    if (take("else")) block();
    take("end");
  }

  void loop() {
    const auto names = name_list();
    if (!take("=")) take("in");
    expressions();
    const std::size_t depth = scope_.size();
    for (const std::size_t name : names) scope_.push_back(declare(name, false));
    enclosed();
    scope_.resize(depth);
  }

  std::vector<std::size_t> name_list() {
    std::vector<std::size_t> names;
    do names.push_back(at_++);
    while (take(","));
    return names;
  }

  void local() {
    const auto names = name_list();
    if (take("=")) note_values(expressions());
    for (const std::size_t name : names) scope_.push_back(declare(name, false));
  }

  void local_function() {
    scope_.push_back(declare(at_++, false));
    function_body();
  }

  void named_function() {
    const std::size_t name = at_++;
    resolve(name);
    std::string_view field;
    while (is(".") || is(":")) {
      ++at_;
      field = out_.text(at_++);
    }
    note_target(name, field);
    function_body();
  }

  void return_values() {
    const bool has_values = !at_end() && !is("end") && !is("else") && !is("elseif") && !is("until");
    if (has_values && !is(";")) note_values(expressions());
    if (nesting_ == 0) top_.returns = true;
    take(";");
  }

  void assignment_or_call() {
    std::vector<Range> targets;
    do targets.push_back(suffixed());
    while (take(","));
    if (!take("=")) return;
    for (const Range& target : targets) {
      const bool is_field = target.size() == 3 && out_.text(target.first + 1) == ".";
      if (target.size() == 1) note_target(target.first, {});
      if (is_field) note_target(target.first, out_.text(target.first + 2));
    }
    note_values(expressions());
  }

  void note_target(std::size_t name, std::string_view field) {
    const std::size_t variable = out_.meaning_[name];
    if (variable == kGlobal && field.empty()) out_.assigned_globals_.push_back(name);
    if (nesting_ == 0 && variable != kGlobal) top_.defines.push_back({variable, field});
  }

  void note_values(std::vector<Range> values) {
    if (nesting_ == 0) top_.values = std::move(values);
  }

  std::vector<Range> expressions() {
    std::vector<Range> ranges;
    do ranges.push_back(expression());
    while (take(","));
    return ranges;
  }

  Range expression() {
    const std::size_t first = at_;
    do {
      while (take("not") || take("-") || take("#")) {
      }
      operand();
    } while (take_binary());
    return {first, at_};
  }

  bool take_binary() {
    return std::any_of(kBinary.begin(), kBinary.end(),
                       [&](std::string_view symbol) { return take(symbol); });
  }

  void operand() {
    if (is("{")) return table();
    if (take("function")) return function_body();
    if (is("(") || out_.is_name(at_)) {
      suffixed();
    } else {
      ++at_;  // a literal, or ...
    }
  }

  Range suffixed() {
    const std::size_t first = at_;
    if (take("(")) {
      expression();
      take(")");
    } else {
      resolve(at_++);
    }
    while (true) {
      const std::size_t callee_end = at_;
      if (take(".")) {
        ++at_;
      } else if (take("[")) {
        expression();
        take("]");
      } else if (take(":")) {
        ++at_;
        arguments({first, callee_end});
      } else if (is("(") || is("{") || is_string()) {
        arguments({first, callee_end});
      } else {
        return {first, at_};
      }
    }
  }

  bool is_string() const { return !at_end() && out_.tokens_[at_].kind == Token::Kind::kString; }

  void arguments(Range callee) {
    const std::size_t call = out_.calls_.size();
    out_.calls_.push_back({callee, {}});
    std::vector<Range> ranges;
    if (take("(")) {
      if (!is(")")) ranges = expressions();
      take(")");
    } else {
      const std::size_t first = at_;
      operand();
      ranges.push_back({first, at_});
    }
    out_.calls_[call].arguments = std::move(ranges);
  }

  void table() {
    const std::size_t index = out_.tables_.size();
    const std::size_t first = at_++;
    out_.tables_.emplace_back();
    std::vector<Field> fields;
    while (!at_end() && !is("}")) {
      Field field;
      if (out_.is_name(at_) && at_ + 1 < out_.tokens_.size() && out_.tokens_[at_ + 1].is("=")) {
        field.name = out_.text(at_);
        at_ += 2;
      } else if (take("[")) {
        field.name = "[]";
        expression();
        take("]");
        take("=");
      }
      field.value = expression();
      fields.push_back(field);
      if (!take(",")) take(";");
    }
    take("}");
    out_.tables_[index] = {{first, at_}, std::move(fields)};
  }

  /// After the word `function` and the name.
  void function_body() {
    const std::size_t index = out_.functions_.size();
    out_.functions_.emplace_back();
    const std::size_t first = at_, depth = scope_.size();
    std::vector<std::size_t> parameters;
    take("(");
    while (!at_end() && !take(")")) {
      if (out_.is_name(at_)) {
        parameters.push_back(declare(at_, true));
        scope_.push_back(parameters.back());
      }
      ++at_;
    }
    block();
    take("end");
    scope_.resize(depth);
    out_.functions_[index] = {{first, at_}, std::move(parameters)};
  }

  Outline& out_;
  std::size_t at_ = 0;
  std::vector<std::size_t> scope_;  ///< variables, the innermost last
  int nesting_ = 0;                 ///< in blocks
  Statement top_;
};

Outline::Outline(std::string path, std::string text)
    : path_(std::move(path)), text_(std::move(text)) {
  lua::Lexer lexer(text_, path_);
  for (Token token = lexer.next(); !token.is("<eof>"); token = lexer.next())
    tokens_.push_back(token);
  meaning_.assign(tokens_.size(), kNone);
  Reader(*this).read();
}

std::string_view Outline::text(std::size_t token) const {
  return token < tokens_.size() ? tokens_[token].text : "<eof>";
}

bool Outline::is_name(std::size_t token) const {
  return token < tokens_.size() && tokens_[token].kind == Token::Kind::kName;
}

std::optional<std::string> Outline::literal(Range range) const {
  if (range.size() != 1 || tokens_[range.first].kind != Token::Kind::kString) return std::nullopt;
  const std::string_view quoted = text(range.first);
  const std::size_t bracket = quoted.front() == '[' ? quoted.find('[', 1) + 1 : 1;
  return std::string(quoted.substr(bracket, quoted.size() - 2 * bracket));
}

Outline::Place Outline::place(std::size_t token) const {
  if (token >= tokens_.size()) return {};
  const auto offset = static_cast<std::size_t>(tokens_[token].text.data() - text_.data());
  const std::string_view before = std::string_view(text_).substr(0, offset);
  const auto line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
  return {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<int>(offset - line_begin) + 1};
}

std::string_view Outline::line_of(std::size_t token) const {
  const std::string_view all = text_;
  const auto offset = static_cast<std::size_t>(tokens_[token].text.data() - text_.data());
  const auto begin = all.substr(0, offset).rfind('\n') + 1;
  return all.substr(begin, all.find('\n', offset) - begin);
}

bool Outline::is_global(Range range, std::string_view path) const {
  if (range.size() == 0 || meaning_[range.first] != kGlobal) return false;
  std::string joined;
  for (std::size_t token = range.first; token < range.last; ++token) joined += text(token);
  return joined == path;
}

const Outline::Table* Outline::table(Range range) const {
  const auto found = std::find_if(tables_.begin(), tables_.end(),
                                  [&](const Table& table) { return table.range == range; });
  return found == tables_.end() ? nullptr : &*found;
}

const Outline::Function* Outline::function(Range range) const {
  // The word `function` stands before what a function has.
  const auto found =
      std::find_if(functions_.begin(), functions_.end(), [&](const Function& function) {
        return function.range.first == range.first + 1 && function.range.last == range.last;
      });
  return found == functions_.end() ? nullptr : &*found;
}

}  // namespace moonshift::task
