#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iostream>
#include <system_error>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "base/journal.hpp"
#include "base/text.hpp"
#include "cli/command.hpp"
#include "cli/progress.hpp"
#include "lua/script_error.hpp"
#include "record/report.hpp"
#include "redis/error.hpp"
#include "service/service_manager.hpp"

namespace moonshift::cli {

namespace {

using base::ExitCode;

constexpr std::array<Command, 9> kCommands{{
    {"run", "run one task now", run_command},
    {"eval", "run a plain script, as EVAL does", eval_command},
    {"job", "run one job of schedules/ now", job_command},
    {"jobs", "the jobs", jobs_command},
    {"next", "when a cron or calendar expression fires", next_command},
    {"daemon", "run the jobs at their times", daemon_command},
    {"scripts", "the scripts with their help", scripts_command},
    {"units", "systemd timers made from the jobs", units_command},
    {"verify", "do the checks hold", verify_command},
}};

void print_usage(std::ostream& out) {
  out << "moonshift keeps a Redis healthy: it runs Lua maintenance scripts, and proves that they "
         "helped.\n\n"
         "usage: moonshift COMMAND [options]\n\n";
  for (const Command& command : kCommands)
    out << fmt::format("  {:<8}  {}\n", command.name, command.summary);
  out << "\n`moonshift COMMAND --help` tells more.\n\nexit codes\n";
  for (int code = 0; code <= 6; ++code) {
    out << fmt::format("  {}  {}\n", code, record::describe(static_cast<ExitCode>(code)));
  }
  out << "\nA plain script does not resume: what it has written stays, and it begins anew.\n";
}

ExitCode dispatch(const Arguments& arguments) {
  const std::string word = arguments.empty() ? "" : arguments.front();
  if (word == "--version") {
    std::cout << "moonshift " MOONSHIFT_VERSION "\n";
    return ExitCode::kDone;
  }
  if (word == "help" && arguments.size() > 1) return dispatch({arguments[1], "--help"});
  if (word == "--help" || word == "-h" || word == "help") {
    print_usage(std::cout);
    return ExitCode::kDone;
  }
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    if (command.name == word) return command.run(Arguments(arguments.begin() + 1, arguments.end()));
    names.emplace_back(command.name);
  }
  if (word.empty()) {
    print_usage(std::cerr);
    return ExitCode::kBadInput;
  }
  throw base::ConfigError(fmt::format("there is no command '{}'{}; see moonshift --help", word,
                                      base::did_you_mean(word, names)));
}

ExitCode run_and_tell(const Arguments& arguments) {
  ExitCode exit_code = ExitCode::kDone;
  try {
    exit_code = dispatch(arguments);
    // Whoever reads a part must not take it for the whole.
    if (!std::cout.flush()) throw CannotPrint("standard output cannot be written");
    return exit_code;
  } catch (const CannotPrint& error) {
    const ExitCode told = tell_error(error, false);
    return exit_code == ExitCode::kDone ? told : exit_code;
  } catch (const std::exception& error) {
    return tell_error(error,
                      std::find(arguments.begin(), arguments.end(), "--json") != arguments.end());
  }
}

/// `ps` shows our arguments to everybody: blanks out the password of a URL among them.
void hide_passwords(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string hidden = base::hide_passwords(argv[i]);
    const std::size_t length = std::strlen(argv[i]);
    if (hidden == argv[i]) continue;
    std::memset(argv[i], ' ', length);
    std::memcpy(argv[i], hidden.data(), std::min(hidden.size(), length));
  }
}

/// A descriptor that is closed when we start would become our connection to Redis, and what we
/// print would be its commands.
void open_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) == -1) ::open("/dev/null", O_RDWR);
  }
}

}  // namespace

Ending ending_of(const std::exception& error) {
  if (dynamic_cast<const base::ConfigError*>(&error)) return {ExitCode::kBadInput, error.what()};
  // One that was met before the run began; a script that ran has its failure in the report.
  if (const auto* script = dynamic_cast<const lua::ScriptError*>(&error)) {
    if (script->traceback().empty()) return {ExitCode::kBadInput, error.what()};
    return {ExitCode::kBadInput, fmt::format("{}\n  at {}", error.what(), script->traceback())};
  }
  if (dynamic_cast<const redis::RedisError*>(&error)) return {ExitCode::kNoRedis, error.what()};
  if (dynamic_cast<const base::Aborted*>(&error)) return {ExitCode::kStopped, error.what()};
  if (dynamic_cast<const CannotPrint*>(&error) || dynamic_cast<const std::system_error*>(&error))
    return {ExitCode::kFailed, error.what()};
  return {ExitCode::kFailed, fmt::format("this is a bug in moonshift: {}", error.what())};
}

ExitCode tell_error(const std::exception& error, bool as_json) {
  const Ending ending = ending_of(error);
  end_progress();
  const std::string shown = base::hide_passwords(ending.what);
  if (as_json) std::cout << record::error_to_json(shown, ending.exit_code) << std::endl;
  if (!base::send_to_journal(base::LogLevel::kError, shown))
    std::cerr << "moonshift: " << shown << "\n";
  return ending.exit_code;
}

int main(int argc, char** argv) {
  open_standard_streams();
  base::set_journal_writer(service::write_to_journal);
  const Arguments arguments(argv + 1, argv + argc);
  hide_passwords(argc, argv);
  const base::Interrupt interrupt;
  return static_cast<int>(run_and_tell(arguments));
}

}  // namespace moonshift::cli
