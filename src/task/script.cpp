#include "task/script.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/duration.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "lua/lexer.hpp"
#include "lua/script_error.hpp"
#include "redis/sha1.hpp"
#include "task/embedded.hpp"

namespace moonshift::task {

namespace {

using lua::Value;
using lua::Values;

std::string_view name_of(Script::Kind kind) {
  switch (kind) {
    case Script::Kind::kTask:
      return "task";
    case Script::Kind::kCheck:
      return "check";
    case Script::Kind::kPlain:
      break;
  }
  return "plain script: it does not return task{...} or check{...} before it calls Redis";
}

/// What a declaration may take, however slow the host.
constexpr base::Duration kOpening = std::chrono::seconds(2);

/// Whether the text returns a task{...} or check{...} at all. Without, whatever goes wrong while it
/// is opened, such as a key that is not there, is no fault of a plain script.
bool declares(const std::string& text) {
  try {
    lua::Lexer lexer(text, "");
    lua::Token before, last = lexer.next();
    while (!last.is("<eof>")) {
      const lua::Token token = lexer.next();
      const bool names_kind = last.text == "task" || last.text == "check";
      if (before.is("return") && names_kind && (token.is("{") || token.is("("))) return true;
      before = std::exchange(last, token);
    }
  } catch (const lua::ScriptError&) {  // it is not even Lua
  }
  return false;
}

std::string text_argument(const Values& arguments, std::size_t index) {
  if (index < arguments.size()) {
    if (const auto* text = arguments[index].as<std::string>()) return *text;
  }
  throw lua::ScriptError(fmt::format("argument {} must be a string", index + 1));
}

}  // namespace

Script::Script(const Catalog& catalog, const std::string& name, const lua::StateLimits& limits)
    : catalog_(catalog),
      source_(catalog.script(name)),
      state_(std::make_unique<lua::State>(limits)) {
  define_host_functions();
  state_->run_module(embedded_file("src/task/runtime.lua"), "=moonshift");
  const Value opened = open();
  state_->set_deadline(limits.deadline);
  if (const std::string problem = opened["problem"].text(); !problem.empty()) {
    throw base::ConfigError(fmt::format("{}: {}", source_.path, problem));
  }
  const std::string kind = opened["kind"].text();
  kind_ = kind == "task" ? Kind::kTask : kind == "check" ? Kind::kCheck : Kind::kPlain;
  parameters_ = Parameters(source_.name, opened["params"]);
  atomic_ = opened["atomic"] == Value(true);
  if (const std::string engine = opened["engine"].text(); !engine.empty()) {
    only_local_ = engine == "local" && !atomic_;
    if (!only_local_) {
      throw base::ConfigError(
          fmt::format("{}: task{{}}: engine can only be \"local\", and not together with atomic",
                      source_.path));
    }
  }
  has_verify_ = opened["verifies"] == Value(true);
}

Value Script::open() {
  const Value plain = Value::Record{{"kind", std::string("plain")}};
  try {
    state_->set_deadline(std::chrono::steady_clock::now() + kOpening);
    return state_->call(state_->function("open"), {source_.text, "@" + source_.path});
  } catch (const base::Aborted& aborted) {
    if (!declares(source_.text)) return plain;
    const std::string where = aborted.what();
    throw base::ConfigError(
        fmt::format("{}: loading the script takes longer than {}: it is to declare, and work later",
                    where.empty() ? source_.path : where, base::format_duration(kOpening)));
  } catch (const lua::ScriptError&) {
    if (!called_redis_ && declares(source_.text)) throw;
    return plain;
  }
}

void Script::define_host_functions() {
  // The scheduler puts the real ones in their place.
  for (const char* name : {"send", "send_all", "begin", "wait"}) {
    state_->define(name, [this](const Values&) -> Value {
      called_redis_ = true;
      throw lua::ScriptError("there is no Redis while a script is loaded");
    });
  }
  state_->define("library", [this](const Values& arguments) -> Value {
    try {
      const Source library = catalog_.library(text_argument(arguments, 0));
      return Value::Record{{"source", library.text}, {"chunk", "@" + library.path}};
    } catch (const base::ConfigError& error) {
      return Value::Record{{"problem", std::string(error.what())}};
    }
  });
  state_->define("fail", [this](const Values& arguments) -> Value {
    if (failure_sink_) failure_sink_(text_argument(arguments, 0), text_argument(arguments, 1));
    return {};
  });
  state_->define("printable", [](const Values& arguments) -> Value {
    return base::printable(text_argument(arguments, 0));
  });
  state_->define("sha1hex", [](const Values& arguments) -> Value {
    return redis::sha1_hex(text_argument(arguments, 0));
  });
  state_->define("glob_match", [](const Values& arguments) -> Value {
    return base::glob_match(text_argument(arguments, 0), text_argument(arguments, 1));
  });
  state_->define("glob_escape", [](const Values& arguments) -> Value {
    return base::glob_escape(text_argument(arguments, 0));
  });
}

void Script::begin(Value::Record p) { state_->call(state_->function("begin"), {std::move(p)}); }

void require_kind(const Script& script, Script::Kind kind) {
  if (script.kind() == kind) return;
  throw base::ConfigError(fmt::format("{} is no {} but a {}", script.source().path, name_of(kind),
                                      name_of(script.kind())));
}

}  // namespace moonshift::task
