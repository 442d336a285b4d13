#pragma once

#include <filesystem>

#include "redis/transport.hpp"

namespace moonshift::service {

/// Sees changes of a directory's files, by inotify(7); also when another directory, or a link to
/// one, takes its place. A file that changes behind a link is not seen.
class DirectoryWatch {
 public:
  /// Throws std::system_error.
  explicit DirectoryWatch(const std::filesystem::path& directory);

  /// Becomes readable when there may have been a change.
  int descriptor() const { return events_.get(); }

  /// Whether there was one since the last time. Waits for a moment then, until an editor that
  /// moves files to and fro has come to its end.
  bool take_changes();

  /// Looks anew which directory that is now.
  void follow();

 private:
  bool read_events();

  std::filesystem::path directory_;
  redis::Descriptor events_;
  int inside_ = -1, beside_ = -1;  ///< watches: of the directory, and of the one that it is in
};

}  // namespace moonshift::service
