#include "service/units.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <system_error>

#include "base/duration.hpp"
#include "base/error.hpp"

namespace moonshift::service {

namespace {

namespace fs = std::filesystem;
using base::ConfigError;

constexpr std::size_t kLongestName = 255;

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

/// An interval as systemd writes time spans, which have the same units.
std::string interval_of(const schedule::Schedule& schedule) {
  const std::string& text = schedule.expression();
  const auto digit =
      std::find_if(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return std::string(digit, text.end());
}

std::string times_of(const job::Job& job) {
  const schedule::CalendarForm calendar = job.schedule->calendar_form();
  if (calendar.text) {
    return fmt::format("OnCalendar={}\n{}", *calendar.text,
                       job.catch_up ? "Persistent=true\n" : "");
  }
  if (job.schedule->kind() == schedule::Schedule::Kind::kEvery) {
    // systemd remembers no such times over a reboot: a run that may be overdue is made up for soon.
    const std::string interval = interval_of(*job.schedule);
    return fmt::format("OnActiveSec={}\nOnUnitActiveSec={}\n", job.catch_up ? "1min" : interval,
                       interval);
  }
  throw ConfigError(fmt::format("{}: systemd has no form of '{}': {}", job.path,
                                job.schedule->expression(), calendar.why_not));
}

std::string jitter_of(const job::Job& job) {
  if (job.jitter.count() == 0) return "";
  return fmt::format("RandomizedDelaySec={}\nFixedRandomDelay=true\n",
                     base::format_duration(job.jitter));
}

bool names_redis(const job::Job& job) { return !job.url.empty() && job.url != "${REDIS_URL}"; }

void write_file(const fs::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  if (!file) throw std::system_error(errno, std::generic_category(), path.string());
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

std::optional<Unit> timer_of(const job::Job& job) {
  if (!job.schedule) return std::nullopt;
  const std::string times = times_of(job);
  Unit unit{fmt::format("moonshift@{}.timer", escape_instance(job.name)), ""};
  // The service's name is longer.
  if (unit.name.size() + 2 > kLongestName) {
    throw ConfigError(
        fmt::format("{}: the job's name is too long for a unit of systemd", job.path));
  }
  const std::string path = setting(fs::absolute(job.path).lexically_normal().string());
  unit.text = fmt::format(
      "# Made by moonshift from a job. Change the job instead.\n"
      "[Unit]\n"
      "Description=moonshift job {}{}\n"
      "Documentation=man:moonshift(1)\n"
      "SourcePath={}\n"
      "\n"
      "[Timer]\n"
      "{}"
      "{}"
      "AccuracySec=1s\n"
      "\n"
      "[Install]\n"
      "WantedBy=timers.target\n",
      setting(job.name), job.description.empty() ? "" : ": " + setting(job.description), path,
      times, jitter_of(job));
  return unit;
}

WrittenUnits write_units(const UnitOptions& options) {
  WrittenUnits written;
  const auto files = job::job_files(options.schedules);
  fs::create_directories(options.output);
  for (const fs::path& file : files) {
    try {
      const job::Job job = job::read_job(file);
      if (!options.has_url && !names_redis(job)) continue;
      const auto unit = timer_of(job);
      if (!unit) continue;
      write_file(options.output / unit->name, unit->text);
      written.names.push_back(unit->name);
    } catch (const ConfigError& error) {
      written.errors.emplace_back(error.what());
    }
  }
  if (options.wanted && !written.names.empty()) make_wanted(options.output, written.names);
  return written;
}

}  // namespace moonshift::service
