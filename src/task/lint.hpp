#pragma once

#include <string>
#include <vector>

#include "task/catalog.hpp"

namespace moonshift::task {

/// Something that is wrong in a script, or that a reader cannot see to be right.
struct Complaint {
  std::string path;
  int line = 1, column = 1;
  std::string text;

  auto operator<=>(const Complaint&) const = default;
};

// What is checked: the comment at the top; parameters declared and used; globals and libraries that
// are there; commands named by literals; find, verify and checks that only read; no work on all of
// a collection at once, unless the line ends in `-- bounded: WHY`; keys below the prefix. A command
// that is no literal is excused by `-- commands: WHICH`. Sorted, without repetitions.

/// Of one script: a name or a file, as Catalog::script() takes it, with what it uses of libraries.
/// Or of a library by itself: `lib.x`, or a file in a directory lib. Throws ConfigError if there is
/// none.
std::vector<Complaint> lint(const Catalog& catalog, const std::string& name);

/// Of all scripts and libraries.
std::vector<Complaint> lint_all(const Catalog& catalog);

/// The globals that tasks and checks find in both engines.
std::vector<std::string> known_globals();

}  // namespace moonshift::task
