#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "eval/program.hpp"

namespace moonshift::test {

/// Makes random scripts that use Redis and Lua as scripts do, each of which must answer the same on
/// any server and in any correct engine: no clock, no random members, no order of hash tables. The
/// same seed makes the same scripts everywhere.
class ScriptGenerator {
 public:
  explicit ScriptGenerator(std::uint64_t seed) : random_(seed) {}

  Program next();

 private:
  struct Variable {
    std::string_view type;
    std::string name;
  };

  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }
  Piece statement(int depth);
  Piece block(int depth);
  Piece expand(std::string_view symbol, int depth);
  std::string_view choose(std::string_view symbol, int depth);
  bool can_be_used(std::string_view alternative) const;
  bool is_visible(const Variable& variable, std::string_view type) const;
  const std::string& variable(std::string_view type);
  std::string new_name(std::string_view type);
  std::string literal(std::string_view kind);

  std::mt19937_64 random_;
  std::vector<Variable> variables_;  ///< in scope
  std::vector<Variable> pending_;    ///< of the statement that is being made
  std::size_t names_ = 0;
  std::size_t pieces_ = 0;  ///< made for this script
  int functions_ = 0;       ///< around the statement that is being made
};

}  // namespace moonshift::test
