#include "service/units.hpp"

#include <cstdlib>
#include <iostream>

#include "base/error.hpp"
#include "base/journal.hpp"
#include "cli/common.hpp"

namespace moonshift::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kSchedules = "/etc/moonshift/schedules";
constexpr const char* kDaemonEnabled =
    "/etc/systemd/system/multi-user.target.wants/moonshift.service";

void complain(const std::string& error) {
  std::cerr << "moonshift: " << error << "\n";
  // Whoever starts a generator by hand reads standard error; what systemd starts has none.
  if (std::getenv("SYSTEMD_SCOPE") != nullptr) base::tell_at_boot(base::LogLevel::kError, error);
}

/// systemd.generator(7). Never fails: nothing here may keep a host from booting.
void generate(const fs::path& schedules, const fs::path& output) {
  // The daemon runs the jobs itself.
  if (fs::exists(kDaemonEnabled) || !fs::is_directory(schedules)) return;
  try {
    const fs::path url_file = schedules.parent_path() / "redis-url";
    const auto written = service::write_units({.schedules = schedules,
                                               .output = output,
                                               .wanted = true,
                                               .has_url = fs::exists(url_file)});
    for (const std::string& error : written.errors) complain(error);
  } catch (const std::exception& error) {
    complain(error.what());
  }
}

base::ExitCode write(const fs::path& schedules, const fs::path& output) {
  const auto written = service::write_units({.schedules = schedules, .output = output});
  for (const std::string& name : written.names) std::cout << (output / name).string() << "\n";
  for (const std::string& name : written.removed)
    std::cout << (output / name).string() << " (removed: its job is gone)\n";
  for (const std::string& error : written.errors) std::cerr << "moonshift: " << error << "\n";
  return written.errors.empty() ? base::ExitCode::kDone : base::ExitCode::kBadInput;
}

}  // namespace

base::ExitCode units_command(const Arguments& arguments) {
  Parser parser("units --output DIR [options]",
                "Writes a systemd timer for every job that has a schedule.\n\n"
                "It starts moonshift@JOB.service. The package does so by itself, at boot and at "
                "every `systemctl daemon-reload`.");
  parser.take_positional("directories", "those that systemd gives a generator");
  parser.add()("output", "write them there, such as /etc/systemd/system",
               cxxopts::value<std::string>(),
               "DIR")("generator", "be a generator of systemd: NORMAL [EARLY LATE] follow")(
      "schedules", "where the jobs are. Default: ./schedules, else /etc/moonshift/schedules",
      cxxopts::value<std::string>(), "DIR");
  const auto parsed = parser.parse(arguments);
  if (!parsed) return base::ExitCode::kDone;

  const auto directories = raw_positional(*parsed, "directories");
  if (parsed->count("generator") > 0) {
    if (directories.empty()) throw base::ConfigError("--generator: into which directory?");
    // Whatever the working directory has: it is not the user's.
    generate(parsed->count("schedules") > 0 ? schedules_of(*parsed) : fs::path(kSchedules),
             directories.front());
    return base::ExitCode::kDone;
  }
  if (!directories.empty())
    throw base::ConfigError("what is '" + directories.front() + "'? Give --output DIR");
  if (parsed->count("output") == 0)
    throw base::ConfigError("where to? Give --output DIR (see --help)");
  return write(schedules_of(*parsed), (*parsed)["output"].as<std::string>());
}

}  // namespace moonshift::cli
