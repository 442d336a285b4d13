#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "base/line_reader.hpp"
#include "base/log.hpp"
#include "cli/common.hpp"
#include "cli/plain.hpp"
#include "record/reply_format.hpp"
#include "redis/base64.hpp"
#include "task/evaluator.hpp"

namespace moonshift::cli {

namespace {

using base::ConfigError;
using base::ExitCode;
using Parsed = cxxopts::ParseResult;

/// Redis itself begins to refuse its other clients when a script has run for so long
/// (busy-reply-threshold).
constexpr base::Duration kServerTimeout = std::chrono::seconds(5);

/// Lua and its libraries take a third of it.
constexpr base::Bytes kLeastMemory{1 << 20};

enum class EngineName { kLocal, kServer };

EngineName read_engine(const std::string& name) {
  if (name == "local") return EngineName::kLocal;
  if (name == "server") return EngineName::kServer;
  throw ConfigError(fmt::format("the engine must be local or server, not '{}'", name));
}

/// The two engines on one Redis, each made when it is first asked for.
class Engines {
 public:
  explicit Engines(const Parsed& parsed)
      : timeout_(parsed.count("timeout") > 0 ? std::optional(positive_duration(parsed, "timeout"))
                                             : std::nullopt),
        endpoint_(url_of(parsed), options_for(timeout_)) {
    local_options_.timeout = timeout_;
    local_options_.commands.raw_keys = parsed.count("raw-keys") > 0;
    local_options_.memory = about_option("memory", [&] {
      const auto memory = base::parse_bytes(parsed["memory"].as<std::string>());
      if (memory < kLeastMemory) throw ConfigError("it must be 1mb at least");
      return memory;
    });
  }

  task::Evaluator& engine(EngineName name) {
    if (name == EngineName::kServer) {
      if (!server_) {
        server_ =
            std::make_unique<task::ServerEvaluator>(endpoint_, timeout_.value_or(kServerTimeout));
      }
      return *server_;
    }
    if (!local_) local_ = std::make_unique<task::LocalEvaluator>(endpoint_, local_options_);
    return *local_;
  }

 private:
  static redis::ConnectionOptions options_for(std::optional<base::Duration> timeout) {
    redis::ConnectionOptions options;
    if (timeout) {
      options.command_timeout = std::min(options.command_timeout, *timeout);
      options.loading_timeout = std::min(options.loading_timeout, *timeout);
    }
    return options;
  }

  std::optional<base::Duration> timeout_;
  task::LocalEvaluator::Options local_options_;
  redis::Endpoint endpoint_;
  std::unique_ptr<task::Evaluator> local_, server_;
};

ExitCode exit_code_of(const task::Evaluator::Result& result) {
  if (result.stopped) return ExitCode::kStopped;
  if (!result.compiled) return ExitCode::kBadInput;
  return result.reply.is_error() ? ExitCode::kFailed : ExitCode::kDone;
}

void print_reply(const std::string& format, const redis::Reply& reply) {
  if (format == "human") {
    std::cout << record::to_human(reply);
  } else if (format == "resp") {
    std::cout << record::to_resp(reply);
  } else {
    std::cout << record::eval_answer(reply) << "\n";
  }
  std::cout.flush();
  if (!std::cout) throw CannotPrint("standard output cannot be written");
}

std::string output_format(const Parsed& parsed) {
  if (parsed.count("json") > 0) return "json";
  const auto format = parsed["output"].as<std::string>();
  if (format == "json" || format == "resp" || format == "human") return format;
  throw ConfigError(fmt::format("--output must be json, resp or human, not '{}'", format));
}

// Batch

/// A string of a request; `b64:` stands before bytes that JSON cannot hold.
std::string decoded(const nlohmann::json& value, const char* field) {
  constexpr std::string_view kMark = "b64:";
  if (!value.is_string()) throw ConfigError(fmt::format("{} must be a string", field));
  const auto& text = value.get_ref<const std::string&>();
  if (!text.starts_with(kMark)) return text;
  auto bytes = redis::base64_decode(std::string_view(text).substr(kMark.size()));
  if (!bytes) throw ConfigError(fmt::format("{}: what follows b64: is no base64", field));
  return std::move(*bytes);
}

std::vector<std::string> decoded_list(const nlohmann::json& request, const char* field) {
  std::vector<std::string> strings;
  if (!request.contains(field)) return strings;
  if (!request[field].is_array()) throw ConfigError(fmt::format("{} must be a list", field));
  for (const auto& element : request[field]) strings.push_back(decoded(element, field));
  return strings;
}

struct Request {
  task::Evaluation evaluation;
  EngineName engine;
};

/// Throws ConfigError that says what is wrong with the line.
Request read_request(const std::string& line, EngineName engine) {
  const auto request = nlohmann::json::parse(line, nullptr, false);
  if (!request.is_object()) throw ConfigError("a request is one JSON object on one line");
  for (const auto& field : request.items()) {
    const std::string& name = field.key();
    if (name != "script" && name != "keys" && name != "args" && name != "engine")
      throw ConfigError(fmt::format("a request has no field '{}'", name));
  }
  if (!request.contains("script")) throw ConfigError("a request needs a script");
  if (request.contains("engine")) engine = read_engine(decoded(request["engine"], "engine"));
  return {{decoded(request["script"], "script"), decoded_list(request, "keys"),
           decoded_list(request, "args")},
          engine};
}

/// Answers each line of standard input with one line, in order. A request that cannot be read is
/// answered too.
ExitCode run_batch(Engines& engines, EngineName engine, const std::string& format) {
  base::LineReader lines(STDIN_FILENO);
  ExitCode exit_code = ExitCode::kDone;
  while (base::Interrupt::signal() == 0) {
    const auto line = lines.next();
    if (!line) break;
    if (line->find_first_not_of(" \t\r") == std::string::npos) continue;
    std::optional<Request> request;
    try {
      request = read_request(*line, engine);
    } catch (const ConfigError& error) {
      print_reply(format, redis::Reply::error(fmt::format("ERR {}", error.what())));
      exit_code = ExitCode::kBadInput;
      continue;
    }
    print_reply(format, engines.engine(request->engine).evaluate(request->evaluation).reply);
  }
  return base::Interrupt::signal() != 0 ? ExitCode::kStopped : exit_code;
}

std::string read_all(std::istream& input) {
  std::ostringstream text;
  text << input.rdbuf();
  return text.str();
}

}  // namespace

void add_plain_options(Parser& parser) {
  parser.add("Run")("raw-keys",
                    "local engine: send KEYS as it is, though it stops Redis, instead of asking "
                    "SCAN for the same keys")(
      "memory", "local engine: the most memory a script may use",
      cxxopts::value<std::string>()->default_value("512mb"), "BYTES");
}

PlainWords split_plain_words(std::vector<std::string> words) {
  const auto comma = std::find(words.begin(), words.end(), ",");
  PlainWords split;
  split.keys.assign(words.begin(), comma);
  if (comma != words.end()) split.arguments.assign(comma + 1, words.end());
  return split;
}

std::string read_script_file(const std::string& path) {
  if (path == "-") return read_all(std::cin);
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path))
    throw ConfigError(fmt::format("{}: there is no such script file", path));
  return read_all(file);
}

ExitCode run_plain(const Parsed& parsed, const std::string& engine, task::Evaluation evaluation,
                   const std::string& format) {
  Engines engines(parsed);
  const auto result = engines.engine(read_engine(engine)).evaluate(evaluation);
  print_reply(format, result.reply);
  return exit_code_of(result);
}

ExitCode eval_command(const Arguments& arguments) {
  Parser parser(
      "eval FILE|-|-e TEXT [KEY ...] , [ARG ...] [options]",
      "Runs a plain script, as EVAL does. Takes what redis-cli --eval takes.\n\nThe local engine "
      "runs it in this process and does not block Redis: other clients' commands come between the "
      "script's own. Where it must be atomic: --engine server. A script that is cut off there by a "
      "limit, a signal or a lost connection leaves what it has written until then.");
  parser.take_positional("words", "the script's file, its keys, a comma, its arguments");
  parser.take_negative_numbers();
  parser.add("Run")("e", "the script itself", cxxopts::value<std::string>(), "TEXT")(
      "engine", "local: in this process; server: inside Redis",
      cxxopts::value<std::string>()->default_value("local"), "ENGINE")(
      "batch",
      "read requests from standard input, a line each: {\"script\":S,\"keys\":[..],\"args\":[..],"
      "\"engine\":\"local\"|\"server\"}; print one answer line for each");
  add_plain_options(parser);
  parser.add_redis_options(
      "end each script after this long, such as 500ms. Default: none in the local engine, 5s in "
      "the "
      "server engine");
  parser.add("Output")("output", "json, resp, or human as redis-cli prints replies",
                       cxxopts::value<std::string>()->default_value("json"),
                       "FORMAT")("json", "the same as --output json")("q,quiet", "log errors only")(
      "v,verbose", "log what happens underneath");
  const auto parsed = parser.parse(arguments);
  if (!parsed) return ExitCode::kDone;
  if (parsed->count("quiet") > 0 && parsed->count("verbose") == 0)
    base::set_up_log(base::LogLevel::kError);

  const std::string format = output_format(*parsed);
  std::vector<std::string> words = raw_positional(*parsed, "words");
  const auto engine = (*parsed)["engine"].as<std::string>();
  if (parsed->count("batch") > 0) {
    if (!words.empty() || parsed->count("e") > 0)
      throw ConfigError("--batch reads its scripts from standard input, and takes none here");
    const EngineName name = read_engine(engine);
    Engines engines(*parsed);
    return run_batch(engines, name, format);
  }
  task::Evaluation evaluation;
  if (parsed->count("e") > 0) {
    evaluation.script = raw_positional(*parsed, "e").back();
  } else {
    if (words.empty()) throw ConfigError("which script? A file, - for standard input, or -e TEXT");
    evaluation.script = read_script_file(words.front());
    words.erase(words.begin());
  }
  auto [keys, script_arguments] = split_plain_words(std::move(words));
  evaluation.keys = std::move(keys);
  evaluation.arguments = std::move(script_arguments);
  return run_plain(*parsed, engine, std::move(evaluation), format);
}

}  // namespace moonshift::cli
