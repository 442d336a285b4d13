#include "lua/source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lua/lexer.hpp"

namespace moonshift::lua {

namespace {

// Limits of Lua 5.1 (luaconf.h).
constexpr std::size_t kMostLocals = 200;
constexpr std::size_t kMostUpvalues = 60;
constexpr std::size_t kMostLevels = 200;
constexpr std::size_t kMostRegisters = 249;

/// Higher than any operator's.
constexpr int kUnaryPriority = 8;

/// Left and right, as in the grammar: `..` and `^` associate to the right. Zero for no operator.
std::pair<int, int> priority(const Token& token) {
  struct Operator {
    std::string_view symbol;
    int left, right;
  };
  constexpr std::array<Operator, 15> kOperators{{{"+", 6, 6},
                                                 {"-", 6, 6},
                                                 {"*", 7, 7},
                                                 {"/", 7, 7},
                                                 {"%", 7, 7},
                                                 {"^", 10, 9},
                                                 {"..", 5, 4},
                                                 {"~=", 3, 3},
                                                 {"==", 3, 3},
                                                 {"<", 3, 3},
                                                 {"<=", 3, 3},
                                                 {">", 3, 3},
                                                 {">=", 3, 3},
                                                 {"and", 2, 2},
                                                 {"or", 1, 1}}};
  if (token.kind == Token::Kind::kSymbol)
    for (const Operator& op : kOperators)
      if (op.symbol == token.text) return {op.left, op.right};
  return {0, 0};
}

bool ends_block(const Token& token) {
  return token.is("end") || token.is("<eof>") || token.is("else") || token.is("elseif") ||
         token.is("until");
}

/// Numbers the local variables of a chunk.
using LocalId = std::uint32_t;

/// Where a value comes from, as far as that is known before the chunk runs.
struct Origin {
  enum class Kind {
    kUnknown,
    kNative,      ///< a global, something in it, or a string. A script cannot make globals, so what
                  ///< is called there is written in C
    kLuaFunction  ///< a function of this chunk
  };

  Kind kind = Kind::kUnknown;
  std::optional<LocalId> variable;  ///< it has been read from this one: certain only if that is
                                    ///< never reassigned
};

struct Expression {
  enum class Kind { kValue, kVariable, kCall };

  Kind kind = Kind::kValue;
  Origin origin;  ///< of a call: of what is called

  Origin value() const { return kind == Kind::kCall ? Origin{} : origin; }
  Expression field() const {
    return {Kind::kVariable, value().kind == Origin::Kind::kNative ? origin : Origin{}};
  }
};

/// A parser of Lua 5.1 (manual, section 8; lua src/lparser.c) that keeps nothing but what has to be
/// put into the text. It recurses as deep as Lua 5.1 does, 200 levels.
class Parser {
 public:
  Parser(std::string_view source, std::string_view id, ChunkKind kind)
      : lexer_(source, id), kind_(kind), levels_(kind == ChunkKind::kScript ? 0 : 1) {}

  std::string run();

 private:
  using Names = std::vector<std::string_view>;

  struct Local {
    std::string_view name;
    LocalId id = 0;
    Origin::Kind origin = Origin::Kind::kUnknown;
    std::size_t function = 0;
    std::optional<std::size_t> shadowed;  ///< the place in locals_ of an outer one of this name
  };

  struct Function {
    int line = 0;  ///< zero for the chunk itself
    std::size_t first_local = 0;
    int loops = 0;  ///< around the statement that is read
    bool is_vararg = false;
    bool uses_varargs = false;
    bool uses_arg = false;
    std::optional<LocalId> arg;  ///< the local variable that `...` among the parameters makes
    std::vector<LocalId> upvalues;
  };

  /// Put into the text; if it depends on a variable, only if that has (or never has) been
  /// reassigned.
  struct Insertion {
    std::size_t place;
    const char* text;
    std::optional<LocalId> variable = std::nullopt;
    bool if_reassigned = false;
  };

  /// One more level of nesting.
  class Level {
   public:
    explicit Level(Parser& parser) : levels_(parser.levels_) {
      if (++levels_ > kMostLevels) parser.lexer_.fail("chunk has too many syntax levels");
    }
    ~Level() { --levels_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    std::size_t& levels_;
  };

  int line() const { return lexer_.line(); }
  bool at(std::string_view symbol) const { return token_.is(symbol); }
  void advance();
  const Token& look_ahead();
  bool accept(std::string_view symbol);
  void expect(std::string_view symbol);
  void expect_match(std::string_view closing, std::string_view opening, int opening_line);
  std::string_view expect_name();
  [[noreturn]] void fail(std::string_view what) const { lexer_.fail_near(token_, what); }

  Function& current() { return functions_.back(); }
  void check_limit(const Function& function, std::size_t count, std::size_t most,
                   std::string_view what) const;
  void declare(Names& names, std::string_view name);
  void activate(std::string_view name, Origin::Kind origin = Origin::Kind::kUnknown);
  void activate(const Names& names);
  void drop_locals(std::size_t first);
  Origin resolve(std::string_view name);
  void capture(const Local& local);
  void reassign(const Expression& variable);

  void statements();
  void block();
  bool statement();
  void if_statement();
  void while_statement();
  void for_statement();
  void repeat_statement();
  void function_statement();
  void local_statement();
  void local_function();
  void return_statement();
  void break_statement();
  void expression_statement();
  void function_body(int opening_line, bool is_method);
  void parameters(bool is_method);

  std::vector<Expression> expressions();
  Expression expression(int limit = 0);
  Expression simple_expression();
  Expression primary_expression();
  Expression prefix_expression();
  void index();
  void arguments();
  void table_constructor();

  void keep_frame(std::size_t begin, const Origin& callee);
  bool has_select() const { return !visible_.contains("select"); }
  std::string rewritten();

  Lexer lexer_;
  ChunkKind kind_;
  std::size_t levels_;
  Token token_;
  std::optional<Token> ahead_;
  int last_line_ = 1;                ///< where the token before token_ ended
  std::size_t last_end_ = 0;         ///< the same in the copy
  std::vector<Function> functions_;  ///< from the outermost to the one that is read
  std::vector<Local> locals_;        ///< in scope, of all these functions
  std::unordered_map<std::string_view, std::size_t> visible_;  ///< name to place in locals_
  std::vector<bool> reassigned_;                               ///< by LocalId
  std::vector<Insertion> insertions_;
};

std::string Parser::run() {
  functions_.emplace_back().is_vararg = true;
  advance();
  statements();
  if (!at("<eof>")) fail("'<eof>' expected");
  return rewritten();
}

// Tokens

void Parser::advance() {
  last_line_ = line();
  last_end_ = token_.end;
  token_ = ahead_ ? *std::exchange(ahead_, std::nullopt) : lexer_.next();
}

const Token& Parser::look_ahead() {
  if (!ahead_) ahead_ = lexer_.next();
  return *ahead_;
}

bool Parser::accept(std::string_view symbol) {
  if (!at(symbol)) return false;
  advance();
  return true;
}

void Parser::expect(std::string_view symbol) {
  if (!accept(symbol)) fail(fmt::format("'{}' expected", symbol));
}

void Parser::expect_match(std::string_view closing, std::string_view opening, int opening_line) {
  if (accept(closing)) return;
  if (opening_line == line()) fail(fmt::format("'{}' expected", closing));
  fail(fmt::format("'{}' expected (to close '{}' at line {})", closing, opening, opening_line));
}

std::string_view Parser::expect_name() {
  if (token_.kind != Token::Kind::kName) fail("'<name>' expected");
  const std::string_view name = token_.text;
  advance();
  return name;
}

// Variables

void Parser::check_limit(const Function& function, std::size_t count, std::size_t most,
                         std::string_view what) const {
  if (count <= most) return;
  const std::string where =
      function.line == 0 ? "main function" : fmt::format("function at line {}", function.line);
  lexer_.fail(fmt::format("{} has more than {} {}", where, most, what));
}

/// Names come into scope together, after what is assigned to them.
void Parser::declare(Names& names, std::string_view name) {
  names.push_back(name);
  check_limit(current(), locals_.size() - current().first_local + names.size(), kMostLocals,
              "local variables");
}

void Parser::activate(std::string_view name, Origin::Kind origin) {
  const auto id = static_cast<LocalId>(reassigned_.size());
  reassigned_.push_back(false);
  const auto [entry, is_new] = visible_.try_emplace(name, locals_.size());
  Local local{name, id, origin, functions_.size() - 1, std::nullopt};
  if (!is_new) local.shadowed = std::exchange(entry->second, locals_.size());
  locals_.push_back(local);
}

void Parser::activate(const Names& names) {
  for (const std::string_view name : names) activate(name);
}

void Parser::drop_locals(std::size_t first) {
  for (; locals_.size() > first; locals_.pop_back()) {
    const Local& local = locals_.back();
    if (local.shadowed) {
      visible_[local.name] = *local.shadowed;
    } else {
      visible_.erase(local.name);
    }
  }
}

Origin Parser::resolve(std::string_view name) {
  const auto entry = visible_.find(name);
  if (entry == visible_.end()) return {Origin::Kind::kNative, std::nullopt};
  const Local& local = locals_[entry->second];
  if (local.function + 1 < functions_.size()) capture(local);
  Function& owner = functions_[local.function];
  if (owner.arg == local.id) owner.uses_arg = true;
  return {local.origin, local.id};
}

/// Each function between a variable and its use has it as an upvalue.
void Parser::capture(const Local& local) {
  if (std::ranges::find(current().upvalues, local.id) != current().upvalues.end()) return;
  for (std::size_t i = local.function + 1; i < functions_.size(); ++i) {
    std::vector<LocalId>& upvalues = functions_[i].upvalues;
    if (std::ranges::find(upvalues, local.id) != upvalues.end()) continue;
    check_limit(functions_[i], upvalues.size() + 1, kMostUpvalues, "upvalues");
    upvalues.push_back(local.id);
  }
}

void Parser::reassign(const Expression& variable) {
  if (variable.origin.variable) reassigned_[*variable.origin.variable] = true;
}

// Statements

void Parser::statements() {
  const Level level(*this);
  bool is_last = false;
  while (!is_last && !ends_block(token_)) {
    is_last = statement();
    accept(";");
  }
}

void Parser::block() {
  const std::size_t first_local = locals_.size();
  statements();
  drop_locals(first_local);
}

/// Whether it must be the last of its block.
bool Parser::statement() {
  if (at("if")) {
    if_statement();
  } else if (at("while")) {
    while_statement();
  } else if (at("do")) {
    const int opening_line = line();
    advance();
    block();
    expect_match("end", "do", opening_line);
  } else if (at("for")) {
    for_statement();
  } else if (at("repeat")) {
    repeat_statement();
  } else if (at("function")) {
    function_statement();
  } else if (accept("local")) {
    if (accept("function")) {
      local_function();
    } else {
      local_statement();
    }
  } else if (at("return")) {
    return_statement();
    return true;
  } else if (at("break")) {
    break_statement();
    return true;
  } else {
    expression_statement();
  }
  return false;
}

void Parser::if_statement() {
  const int opening_line = line();
  do {  // at `if` or `elseif`
    advance();
    expression();
    expect("then");
    block();
  } while (at("elseif"));
  if (accept("else")) block();
  expect_match("end", "if", opening_line);
}

void Parser::while_statement() {
  const int opening_line = line();
  advance();
  expression();
  expect("do");
  ++current().loops;
  block();
  --current().loops;
  expect_match("end", "while", opening_line);
}

void Parser::for_statement() {
  const int opening_line = line();
  advance();
  Names names;
  const std::string_view first_name = expect_name();
  // What the loop counts with takes up three of the 200 local variables.
  for (const auto* hidden : {"(1)", "(2)", "(3)"}) declare(names, hidden);
  declare(names, first_name);
  if (accept("=")) {
    expression();
    expect(",");
    expression();
    if (accept(",")) expression();
  } else if (at(",") || at("in")) {
    while (accept(",")) declare(names, expect_name());
    expect("in");
    expressions();
  } else {
    fail("'=' or 'in' expected");
  }
  expect("do");
  const std::size_t first_local = locals_.size();
  activate(names);
  ++current().loops;
  block();
  --current().loops;
  drop_locals(first_local);
  expect_match("end", "for", opening_line);
}

/// The condition sees the variables of the block.
void Parser::repeat_statement() {
  const int opening_line = line();
  advance();
  const std::size_t first_local = locals_.size();
  ++current().loops;
  statements();
  expect_match("until", "repeat", opening_line);
  expression();
  --current().loops;
  drop_locals(first_local);
}

void Parser::function_statement() {
  const int opening_line = line();
  advance();
  Expression target{Expression::Kind::kVariable, resolve(expect_name())};
  bool is_method = false;
  while (!is_method && (at(".") || at(":"))) {
    is_method = at(":");
    advance();
    expect_name();
    target = target.field();
  }
  function_body(opening_line, is_method);
  reassign(target);
}

void Parser::local_statement() {
  Names names;
  do {
    declare(names, expect_name());
  } while (accept(","));
  std::vector<Expression> values;
  if (accept("=")) values = expressions();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Origin origin = i < values.size() ? values[i].value() : Origin{};
    // Another variable may be assigned to before or after this.
    activate(names[i], origin.variable ? Origin::Kind::kUnknown : origin.kind);
  }
}

void Parser::local_function() {
  Names names;
  declare(names, expect_name());
  activate(names[0], Origin::Kind::kLuaFunction);
  function_body(line(), false);
}

void Parser::return_statement() {
  advance();
  if (ends_block(token_) || at(";")) return;
  const std::size_t begin = token_.begin;
  const std::vector<Expression> values = expressions();
  if (values.size() == 1 && values[0].kind == Expression::Kind::kCall)
    keep_frame(begin, values[0].origin);
}

void Parser::break_statement() {
  advance();
  if (current().loops == 0) fail("no loop to break");
}

void Parser::expression_statement() {
  Expression target = primary_expression();
  if (target.kind == Expression::Kind::kCall) return;
  for (std::size_t targets = 1;; ++targets) {
    if (target.kind != Expression::Kind::kVariable) fail("syntax error");
    reassign(target);
    if (!accept(",")) break;
    target = primary_expression();
    check_limit(current(), targets, kMostLevels - levels_, "variables in assignment");
  }
  expect("=");
  expressions();
}

void Parser::function_body(int opening_line, bool is_method) {
  const std::size_t first_local = locals_.size();
  Function& opened = functions_.emplace_back();
  opened.line = opening_line;
  opened.first_local = first_local;
  parameters(is_method);
  const std::size_t place = last_end_;
  const bool can_count = has_select();
  statements();
  expect_match("end", "function", opening_line);
  const Function& closed = current();
  if (closed.uses_arg) {
    // Lua 5.1 makes the table only where `...` itself is not used (LUAI_COMPAT_VARARG).
    insertions_.push_back({place, closed.uses_varargs ? " local arg;"
                                  : can_count         ? " local arg={n=select('#',...),...};"
                                                      : " local arg={n=#{...},...};"});
  }
  drop_locals(first_local);
  functions_.pop_back();
}

void Parser::parameters(bool is_method) {
  expect("(");
  Names names;
  if (is_method) declare(names, "self");
  if (!at(")")) {
    do {
      if (accept("...")) {
        declare(names, "arg");
        current().is_vararg = true;
      } else if (token_.kind == Token::Kind::kName) {
        declare(names, expect_name());
      } else {
        fail("<name> or '...' expected");
      }
    } while (!current().is_vararg && accept(","));
  }
  activate(names);
  if (current().is_vararg) current().arg = locals_.back().id;
  expect(")");
}

// Expressions

std::vector<Expression> Parser::expressions() {
  std::vector<Expression> list{expression()};
  while (accept(",")) {
    // Each takes one register at least.
    if (list.size() == kMostRegisters) fail("function or expression too complex");
    list.push_back(expression());
  }
  return list;
}

/// Operators that bind tighter than `limit`.
Expression Parser::expression(int limit) {
  const Level level(*this);
  Expression result;
  if (at("not") || at("-") || at("#")) {
    advance();
    expression(kUnaryPriority);
  } else {
    result = simple_expression();
  }
  for (auto [left, right] = priority(token_); left > limit;
       std::tie(left, right) = priority(token_)) {
    advance();
    expression(right);
    result = {};
  }
  return result;
}

Expression Parser::simple_expression() {
  if (token_.kind == Token::Kind::kString) {
    advance();
    return {Expression::Kind::kValue, {Origin::Kind::kNative, std::nullopt}};
  }
  if (at("function")) {
    advance();
    function_body(line(), false);
    return {Expression::Kind::kValue, {Origin::Kind::kLuaFunction, std::nullopt}};
  }
  if (at("{")) {
    table_constructor();
    return {};
  }
  if (at("...")) {
    if (!current().is_vararg) fail("cannot use '...' outside a vararg function");
    current().uses_varargs = true;
  } else if (token_.kind != Token::Kind::kNumber && !at("nil") && !at("true") && !at("false")) {
    return primary_expression();
  }
  advance();
  return {};
}

/// A variable or a call, with all that follows it.
Expression Parser::primary_expression() {
  Expression result = prefix_expression();
  while (true) {
    if (at(".") || at("[")) {
      index();
      result = result.field();
    } else if (accept(":")) {
      expect_name();
      arguments();
      result = {Expression::Kind::kCall, result.field().origin};
    } else if (at("(") || at("{") || token_.kind == Token::Kind::kString) {
      arguments();
      result = {Expression::Kind::kCall, result.value()};
    } else {
      return result;
    }
  }
}

Expression Parser::prefix_expression() {
  if (token_.kind == Token::Kind::kName)
    return {Expression::Kind::kVariable, resolve(expect_name())};
  const int opening_line = line();
  if (!accept("(")) fail("unexpected symbol");
  const Expression inner = expression();
  expect_match(")", "(", opening_line);
  return {Expression::Kind::kValue, inner.value()};
}

/// `.name` or `[expression]`
void Parser::index() {
  if (accept(".")) {
    expect_name();
  } else {
    expect("[");
    expression();
    expect("]");
  }
}

void Parser::arguments() {
  if (token_.kind == Token::Kind::kString) return advance();
  if (at("{")) return table_constructor();
  const int opening_line = line();
  if (!at("(")) fail("function arguments expected");
  if (opening_line != last_line_) fail("ambiguous syntax (function call x new statement)");
  advance();
  if (!at(")")) expressions();
  expect_match(")", "(", opening_line);
}

void Parser::table_constructor() {
  const int opening_line = line();
  expect("{");
  do {
    if (at("}")) break;
    if (at("[")) {
      index();
      expect("=");
    } else if (token_.kind == Token::Kind::kName && look_ahead().is("=")) {
      advance();
      advance();
    }
    expression();
  } while (accept(",") || accept(";"));
  expect_match("}", "{", opening_line);
}

// What is put into the text

/// LuaJIT leaves the function before it calls another one by `return f()`, Lua 5.1 only if that is
/// a Lua function. So errors of any other say in Lua 5.1 what line they come from. Where it isn't
/// known what is called, it stays a tail call, for such calls may be nested without limit; but not
/// in a script as a whole, which is no function that could call itself.
void Parser::keep_frame(std::size_t begin, const Origin& callee) {
  const bool is_script = functions_.size() == 1 && kind_ == ChunkKind::kScript;
  if (is_script && callee.kind != Origin::Kind::kLuaFunction) {
    insertions_.push_back({last_end_, ",nil "});
  } else if (is_script && callee.variable) {
    insertions_.push_back({last_end_, ",nil ", callee.variable, true});
  } else if (callee.kind == Origin::Kind::kNative && has_select()) {
    insertions_.push_back({begin, "select(1,", callee.variable});
    insertions_.push_back({last_end_, ")", callee.variable});
  }
}

std::string Parser::rewritten() {
  std::ranges::stable_sort(insertions_, {}, &Insertion::place);
  const std::string& copy = lexer_.copy();
  std::string text;
  std::size_t place = 0;
  for (const Insertion& insertion : insertions_) {
    if (insertion.variable && reassigned_[*insertion.variable] != insertion.if_reassigned) continue;
    text.append(copy, place, insertion.place - place);
    text += insertion.text;
    place = insertion.place;
  }
  return text.append(copy, place);
}

}  // namespace

std::string as_lua51(std::string_view source, std::string_view chunk_id, ChunkKind kind) {
  return Parser(source, chunk_id, kind).run();
}

std::string chunk_id(std::string_view chunk_name, std::size_t size) {
  // Lua leaves room for the quotes, the dots and a NUL, and for some blanks that it never writes.
  const std::size_t most = size - 1, most_of_path = size - 8, most_of_text = size - 17;
  const std::string_view name = chunk_name.substr(0, chunk_name.find('\0'));
  if (name.starts_with('=')) return std::string(name.substr(1, most));
  if (name.starts_with('@')) {
    const std::string_view path = name.substr(1);
    if (path.size() <= most_of_path) return std::string(path);
    return fmt::format("...{}", path.substr(path.size() - most_of_path));
  }
  const std::string_view text = name.substr(0, std::min(name.find_first_of("\r\n"), most_of_text));
  return fmt::format("[string \"{}{}\"]", text, text.size() < name.size() ? "..." : "");
}

}  // namespace moonshift::lua
