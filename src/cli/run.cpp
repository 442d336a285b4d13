#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "cli/common.hpp"
#include "cli/plain.hpp"
#include "lua/script_error.hpp"

namespace moonshift::cli {

namespace {

/// `name=value`, where a name given again makes a list.
task::GivenParameters read_parameters(const std::vector<std::string>& words) {
  task::GivenParameters given;
  for (const std::string& word : words) {
    const auto equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw base::ConfigError(fmt::format("--param {}: write it as name=value", word));
    }
    lua::Value& value = given[word.substr(0, equals)];
    lua::Value text = word.substr(equals + 1);
    if (value.is_nil()) {
      value = std::move(text);
    } else {
      lua::Value::List list =
          value.as<lua::Value::List>() ? *value.as<lua::Value::List>() : lua::Value::List{value};
      list.push_back(std::move(text));
      value = std::move(list);
    }
  }
  return given;
}

task::EngineChoice read_engine(const std::string& name) {
  for (const auto choice :
       {task::EngineChoice::kAuto, task::EngineChoice::kLocal, task::EngineChoice::kServer}) {
    if (name == task::name_of(choice)) return choice;
  }
  throw base::ConfigError(fmt::format("--engine must be auto, local or server, not '{}'", name));
}

/// The script, unless something is wrong with it, which is said later.
std::unique_ptr<task::Script> open_script(const task::Catalog& catalog, const std::string& name) {
  try {
    return std::make_unique<task::Script>(catalog, name);
  } catch (const lua::ScriptError&) {
  } catch (const base::ConfigError&) {
  }
  return nullptr;
}

/// A check finds nothing to do and has nothing that could be limited.
job::CheckCall as_check(const cxxopts::ParseResult& parsed, job::Step step) {
  for (const char* option :
       {"dry-run", "now", "limit", "rate", "max-failures", "batch-time", "engine"}) {
    if (parsed.count(option) == 0) continue;
    throw base::ConfigError(
        fmt::format("--{} is for tasks, and {} is a check", option, step.script));
  }
  return {std::move(step.script), std::move(step.params), "", ""};
}

std::optional<double> read_rate(const cxxopts::ParseResult& parsed) {
  if (parsed.count("rate") == 0) return std::nullopt;
  const auto rate = base::parse_number<double>(parsed["rate"].as<std::string>());
  if (!rate || !(*rate > 0) || !std::isfinite(*rate))
    throw base::ConfigError("--rate must be a number above 0: items a second");
  return rate;
}

std::optional<std::int64_t> read_limit(const cxxopts::ParseResult& parsed) {
  if (parsed.count("limit") == 0) return std::nullopt;
  const auto limit = base::parse_number<std::int64_t>(parsed["limit"].as<std::string>());
  if (!limit || *limit < 1) throw base::ConfigError("--limit must be a whole number above 0");
  return limit;
}

/// Keys and arguments instead of parameters; nothing to find and nothing to verify.
base::ExitCode run_plain_script(const cxxopts::ParseResult& parsed, const std::string& text,
                                std::vector<std::string> words) {
  for (const char* option :
       {"param", "dry-run", "now", "limit", "rate", "max-failures", "batch-time"}) {
    if (parsed.count(option) == 0) continue;
    throw base::ConfigError(fmt::format(
        "--{} is for tasks, and this is a plain script; --url scratch:dump.rdb tries it on a copy",
        option));
  }
  auto [keys, arguments] = split_plain_words(std::move(words));
  const auto engine = parsed["engine"].as<std::string>();
  return run_plain(parsed, engine == "auto" ? "local" : engine,
                   {text, std::move(keys), std::move(arguments)},
                   parsed.count("json") > 0 ? "json" : "human");
}

}  // namespace

base::ExitCode run_command(const Arguments& arguments) {
  Parser parser("run SCRIPT [--param name=value ...] [options]",
                "Runs one task, and verifies that it helped; or one check.\n\nA plain script is "
                "run as by `moonshift "
                "eval`, with keys and arguments: run FILE.lua [KEY ...] , [ARG ...]");
  parser.take_positional("words",
                         "a task or a check: its name (see `moonshift scripts`) or a .lua file");
  parser.take_negative_numbers();
  parser.add("Run")("p,param", "a parameter; given again, it makes a list",
                    cxxopts::value<std::vector<std::string>>(), "name=value")(
      "engine",
      "local: in this process; server: inside Redis; auto: what the task asks for, else local",
      cxxopts::value<std::string>()->default_value("auto"),
      "ENGINE")("limit", "treat so many items at most", cxxopts::value<std::string>(), "N")(
      "rate", "treat so many items a second at most", cxxopts::value<std::string>(), "N")(
      "max-failures", "stop when so many items have failed",
      cxxopts::value<std::string>()->default_value("100"),
      "N")("batch-time", "how long one batch may occupy Redis",
           cxxopts::value<std::string>()->default_value("2ms"), "DURATION");
  add_plain_options(parser);
  parser.add_run_options();
  parser.add_redis_options();
  parser.add_output_options();
  const auto parsed = parser.parse(arguments);
  if (!parsed) return base::ExitCode::kDone;

  job::Job job;
  job::Step step;
  auto words = raw_positional(*parsed, "words");
  if (words.empty()) throw base::ConfigError("which script? (see --help)");
  step.script = words.front();
  words.erase(words.begin());
  const task::Catalog catalog = catalog_of(*parsed);
  const auto script = open_script(catalog, step.script);
  if (script && script->kind() == task::Script::Kind::kPlain)
    return run_plain_script(*parsed, script->source().text, std::move(words));
  for (const char* option : {"raw-keys", "memory"}) {
    if (parsed->count(option) == 0) continue;
    throw base::ConfigError(
        fmt::format("--{} is for plain scripts, and {} is none", option, step.script));
  }
  if (!words.empty()) {
    throw base::ConfigError(
        fmt::format("{} is no plain script, which alone takes words after its name: what is '{}'?",
                    step.script, words.front()));
  }
  if (parsed->count("param") > 0) {
    step.params = read_parameters(raw_positional(*parsed, "param"));
  }
  job.name = step.script;
  job.lease.reset();  // a lease is for what several hosts start by themselves
  step.engine = read_engine((*parsed)["engine"].as<std::string>());
  step.limit = read_limit(*parsed);
  step.rate = read_rate(*parsed);
  if (script && script->kind() == task::Script::Kind::kCheck) {
    job.checks.push_back(as_check(*parsed, std::move(step)));
  } else {
    job.steps.push_back(std::move(step));
  }
  job.batch_time = positive_duration(*parsed, "batch-time");
  const auto most = base::parse_number<std::int64_t>((*parsed)["max-failures"].as<std::string>());
  if (!most || *most < 1) throw base::ConfigError("--max-failures must be a whole number above 0");
  job.max_failures = *most;

  job::check_job(job, catalog);
  const base::SteadyTime deadline = deadline_of(*parsed);
  const auto options = runner_options(*parsed, deadline);
  const redis::Endpoint endpoint(url_of(*parsed), connection_options(deadline));
  return print_report(*parsed, job::run_job(job, catalog, endpoint, options));
}

}  // namespace moonshift::cli
