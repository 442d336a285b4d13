#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lua/state.hpp"
#include "task/catalog.hpp"
#include "task/parameters.hpp"

namespace moonshift::task {

/// A script that was opened in the local engine: its declaration is known; nothing of it has met
/// Redis.
class Script {
 public:
  enum class Kind { kTask, kCheck, kPlain };

  /// Told when a walk of `scan` met a key of the wrong type.
  using FailureSink = std::function<void(const std::string& key, const std::string& error)>;

  /// `catalog` must outlive the script. Throws ConfigError for what is wrong with the script's
  /// form, ScriptError for what Lua says of it.
  Script(const Catalog& catalog, const std::string& name, const lua::StateLimits& limits = {});

  const Source& source() const { return source_; }
  const Catalog& catalog() const { return catalog_; }
  Kind kind() const { return kind_; }
  const Parameters& parameters() const { return parameters_; }

  /// Each item must be treated with nothing in between, by whichever commands.
  bool atomic() const { return atomic_; }
  bool has_verify() const { return has_verify_; }

  /// Its `each` needs commands that EVAL refuses: `engine = "local"`.
  bool only_local() const { return only_local_; }

  lua::State& state() { return *state_; }

  /// Sets `p`, for all that is called from now on.
  void begin(lua::Value::Record p);

  void set_failure_sink(FailureSink sink) { failure_sink_ = std::move(sink); }

 private:
  void define_host_functions();
  lua::Value open();

  const Catalog& catalog_;
  Source source_;
  std::unique_ptr<lua::State> state_;
  Kind kind_ = Kind::kPlain;
  Parameters parameters_;
  bool atomic_ = false;
  bool only_local_ = false;
  bool has_verify_ = false;
  FailureSink failure_sink_;
  bool called_redis_ = false;  ///< while it was opened, when there is none
};

/// Throws ConfigError that says what the script is instead.
void require_kind(const Script& script, Script::Kind kind);

}  // namespace moonshift::task
