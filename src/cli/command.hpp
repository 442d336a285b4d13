#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/exit_code.hpp"

namespace moonshift::cli {

using Arguments = std::vector<std::string>;

/// One word after `moonshift`. A command parses its arguments, calls, and prints.
struct Command {
  std::string_view name;
  std::string_view summary;
  base::ExitCode (*run)(const Arguments& arguments);
};

base::ExitCode run_command(const Arguments& arguments);
base::ExitCode daemon_command(const Arguments& arguments);
base::ExitCode eval_command(const Arguments& arguments);
base::ExitCode job_command(const Arguments& arguments);
base::ExitCode jobs_command(const Arguments& arguments);
base::ExitCode next_command(const Arguments& arguments);
base::ExitCode scripts_command(const Arguments& arguments);
base::ExitCode units_command(const Arguments& arguments);
base::ExitCode verify_command(const Arguments& arguments);

/// Standard output is full, or gone.
class CannotPrint : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What an error means for whoever called.
struct Ending {
  base::ExitCode exit_code;
  std::string what;
};

/// The one place where an error becomes an exit code.
Ending ending_of(const std::exception& error);

/// Prints what went wrong; its exit code.
base::ExitCode tell_error(const std::exception& error, bool as_json);

/// Runs the command that the arguments name and turns every error into its message and exit code.
int main(int argc, char** argv);

}  // namespace moonshift::cli
