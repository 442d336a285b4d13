#include "service/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>

#include "base/error.hpp"
#include "service/timer_times.hpp"

namespace moonshift::service {

namespace {

namespace fs = std::filesystem;
using base::ConfigError;

constexpr std::size_t kLongestName = 255;

/// The first line of our timers, by which we know them again.
constexpr std::string_view kMadeByUs = "# Made by moonshift from a job. Change the job instead.\n";

bool is_plain(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == ':' ||
         c == '_' || c == '.';
}

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

/// Text as the value of a setting: on one line, and nothing in it that systemd would expand.
std::string setting(std::string_view text) {
  std::string value;
  for (const char c : text) {
    if (c == '%') value += '%';
    value += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  while (value.ends_with('\\')) value.pop_back();
  return value;
}

bool names_redis(const job::Job& job) { return !job.url.empty() && job.url != "${REDIS_URL}"; }

void write_file(const fs::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  if (!file) throw std::system_error(errno, std::generic_category(), path.string());
}

std::string timer_name(const std::string& job) {
  return fmt::format("moonshift@{}.timer", escape_instance(job));
}

bool is_made_by_us(const fs::path& unit) {
  std::ifstream file(unit);
  std::string line;
  return std::getline(file, line) && line + "\n" == kMadeByUs;
}

/// Of jobs that are gone, or have no times any more.
std::vector<std::string> remove_stale_timers(const fs::path& directory,
                                             const std::vector<std::string>& kept) {
  std::vector<std::string> removed;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("moonshift@") || !name.ends_with(".timer")) continue;
    if (std::find(kept.begin(), kept.end(), name) != kept.end()) continue;
    if (!is_made_by_us(entry.path())) continue;
    fs::remove(entry.path());
    removed.push_back(name);
  }
  std::sort(removed.begin(), removed.end());
  return removed;
}

/// A link in timers.target.wants would do for the boot only: at a daemon-reload timers.target is
/// active already, and what it newly wants stays inactive; what it upholds is started.
void make_wanted(const fs::path& directory, const std::vector<std::string>& names) {
  const fs::path wants = directory / "timers.target.wants",
                 settings = directory / "timers.target.d";
  fs::create_directories(wants);
  fs::create_directories(settings);
  std::string upheld = "[Unit]\n";
  for (const std::string& name : names) {
    fs::remove(wants / name);
    fs::create_symlink(fs::path("..") / name, wants / name);
    upheld += fmt::format("Upholds={}\n", name);
  }
  write_file(settings / "moonshift.conf", upheld);
}

}  // namespace

std::string escape_instance(std::string_view name) {
  std::string escaped;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool stays = i == 0 ? is_plain(c) && c != '.' : is_plain(c) || c == '-';
    if (stays) {
      escaped += c;
    } else {
      escaped += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

std::string unescape_instance(std::string_view instance) {
  std::string name;
  for (std::size_t i = 0; i < instance.size(); ++i) {
    if (instance.substr(i).starts_with("\\x") && i + 3 < instance.size()) {
      const auto high = hex_digit(instance[i + 2]), low = hex_digit(instance[i + 3]);
      if (high && low) {
        name += static_cast<char>(*high * 16 + *low);
        i += 3;
        continue;
      }
    }
    name += instance[i];
  }
  return name;
}

std::optional<Unit> timer_of(const job::Job& job, base::UnixTime now) {
  if (!job.schedule) return std::nullopt;
  const std::string times = timer_times(job, now);
  Unit unit{timer_name(job.name), ""};
  // The service's name is longer.
  if (unit.name.size() + 2 > kLongestName) {
    throw ConfigError(
        fmt::format("{}: the job's name is too long for a unit of systemd", job.path));
  }
  const std::string path = setting(fs::absolute(job.path).lexically_normal().string());
  unit.text = fmt::format(
      "{}"
      "[Unit]\n"
      "Description=moonshift job {}{}\n"
      "Documentation=man:moonshift(1)\n"
      "SourcePath={}\n"
      "\n"
      "[Timer]\n"
      "{}"
      "AccuracySec=1s\n"
      "\n"
      "[Install]\n"
      "WantedBy=timers.target\n",
      kMadeByUs, setting(job.name), job.description.empty() ? "" : ": " + setting(job.description),
      path, times);
  return unit;
}

WrittenUnits write_units(const UnitOptions& options) {
  WrittenUnits written;
  std::vector<std::string> kept;  // an error is no reason to run a job no more
  const auto files = job::job_files(options.schedules);
  const base::UnixTime now = base::system_now();
  fs::create_directories(options.output);
  for (const fs::path& file : files) {
    try {
      const job::Job job = job::read_job(file);
      if (!options.has_url && !names_redis(job)) continue;
      const auto unit = timer_of(job, now);
      if (!unit) continue;
      write_file(options.output / unit->name, unit->text);
      written.names.push_back(unit->name);
    } catch (const ConfigError& error) {
      written.errors.emplace_back(error.what());
      kept.push_back(timer_name(file.stem().string()));
    }
  }
  kept.insert(kept.end(), written.names.begin(), written.names.end());
  written.removed = remove_stale_timers(options.output, kept);
  if (options.wanted && !written.names.empty()) make_wanted(options.output, written.names);
  return written;
}

}  // namespace moonshift::service
