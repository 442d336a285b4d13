#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lua/lexer.hpp"

namespace moonshift::task {

/// The tokens of a Lua source that compiles, and what they are to each other: which variable a name
/// means, what is called with which arguments. Not more than the linter asks for.
class Outline {
 public:
  /// Tokens from `first` up to, but not with, `last`.
  struct Range {
    std::size_t first = 0, last = 0;

    std::size_t size() const { return last - first; }
    bool contains(std::size_t token) const { return token >= first && token < last; }
    auto operator<=>(const Range&) const = default;
  };

  struct Place {
    int line = 1, column = 1;
  };

  struct Variable {
    std::string_view name;
    std::size_t declared_at = 0;  ///< token
    bool is_parameter = false;
    bool is_top = false;  ///< seen by the whole file
  };

  struct Call {
    Range callee;
    std::vector<Range> arguments;
  };

  struct Field {
    std::string_view name;  ///< empty for an element of the list
    Range value;
  };

  struct Table {
    Range range;
    std::vector<Field> fields;
  };

  struct Function {
    Range range;
    std::vector<std::size_t> parameters;  ///< variables
  };

  /// A statement of the file itself, not of a function in it.
  struct Statement {
    struct Definition {
      std::size_t variable;
      std::string_view field;  ///< `f` of `function module.f`; empty for the variable itself
    };

    Range range;
    std::vector<Definition> defines;
    std::vector<Range> values;
    bool returns = false;
  };

  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  static constexpr std::size_t kGlobal = kNone - 1;

  /// Throws ScriptError if it is no Lua.
  Outline(std::string path, std::string text);
  Outline(const Outline&) = delete;
  Outline& operator=(const Outline&) = delete;

  const std::string& path() const { return path_; }
  Range whole() const { return {0, tokens_.size()}; }

  /// The token's text as in the source; `<eof>` beyond the last one.
  std::string_view text(std::size_t token) const;
  bool is_name(std::size_t token) const;

  /// What a string literal holds, if that is all the range has.
  std::optional<std::string> literal(Range range) const;

  Place place(std::size_t token) const;

  /// The line that the token stands on, with its comment.
  std::string_view line_of(std::size_t token) const;

  /// The variable that a name means; kGlobal if none; kNone if the token is no variable's name.
  std::size_t variable_at(std::size_t token) const { return meaning_[token]; }
  const Variable& variable(std::size_t index) const { return variables_[index]; }

  /// Whether the range is just that path of a global: `redis.call`.
  bool is_global(Range range, std::string_view path) const;

  const std::vector<Call>& calls() const { return calls_; }
  const std::vector<Table>& tables() const { return tables_; }
  const std::vector<Function>& functions() const { return functions_; }
  const std::vector<Statement>& statements() const { return statements_; }

  /// Globals that are assigned to.
  const std::vector<std::size_t>& assigned_globals() const { return assigned_globals_; }

  /// The table constructor or function that is all the range has.
  const Table* table(Range range) const;
  const Function* function(Range range) const;

 private:
  class Reader;

  std::string path_, text_;
  std::vector<lua::Token> tokens_;
  std::vector<std::size_t> meaning_;  ///< by token
  std::vector<Variable> variables_;
  std::vector<Call> calls_;
  std::vector<Table> tables_;
  std::vector<Function> functions_;
  std::vector<Statement> statements_;
  std::vector<std::size_t> assigned_globals_;
};

}  // namespace moonshift::task
