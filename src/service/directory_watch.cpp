#include "service/directory_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <thread>

namespace moonshift::service {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kEditorsPause(100);

/// A new file is seen when it is closed; a link has all that it will have.
constexpr std::uint32_t kInside =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ATTRIB;
constexpr std::uint32_t kBeside = IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE;

fs::path without_slash(const fs::path& directory) {
  const fs::path path = fs::absolute(directory);
  return path.has_filename() ? path : path.parent_path();
}

bool is_link(const fs::path& path) {
  std::error_code error;
  return fs::is_symlink(path, error) || fs::hard_link_count(path, error) > 1;
}

}  // namespace

DirectoryWatch::DirectoryWatch(const fs::path& directory)
    : directory_(without_slash(directory)), events_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (events_.get() >= 0) follow();
  if (inside_ < 0) throw std::system_error(errno, std::generic_category(), directory_.string());
}

void DirectoryWatch::follow() {
  const auto renew = [&](int& watch, const fs::path& directory, std::uint32_t events) {
    const int before =
        std::exchange(watch, ::inotify_add_watch(events_.get(), directory.c_str(), events));
    if (before >= 0 && before != watch) ::inotify_rm_watch(events_.get(), before);
  };
  renew(beside_, directory_.parent_path(), kBeside);
  renew(inside_, directory_, kInside);
}

bool DirectoryWatch::take_changes() {
  if (!read_events()) return false;
  std::this_thread::sleep_for(kEditorsPause);
  read_events();
  follow();
  return true;
}

bool DirectoryWatch::read_events() {
  bool changed = false;
  alignas(inotify_event) std::array<char, 16384> buffer{};
  for (ssize_t count = 0; (count = ::read(events_.get(), buffer.data(), buffer.size())) > 0;) {
    for (ssize_t at = 0; at < count;) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const std::string name = event.len > 0 ? buffer.data() + at + sizeof event : "";
      at += static_cast<ssize_t>(sizeof event + event.len);
      if ((event.mask & IN_Q_OVERFLOW) != 0) {
        changed = true;
      } else if (event.wd == beside_) {
        changed = changed || name == directory_.filename();
      } else if ((event.mask & IN_CREATE) == 0 || is_link(directory_ / name)) {
        changed = true;
      }
    }
  }
  return changed;
}

}  // namespace moonshift::service
