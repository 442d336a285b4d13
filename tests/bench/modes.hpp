#pragma once

#include "harness.hpp"

/// What `bench` can do. `program` is the moonshift to measure.
namespace bench {

/// Purging the leaked half of many rate-limit keys: in both engines, and by other means.
void compare_purges(const std::string& program, long keys, int rounds);

/// The other side of that comparison, in a process of its own.
void purge_plainly(const std::string& socket, bool leaked_only);

/// Fails if moonshift needs more memory than it promises, however many keys there are.
void check_memory(const std::string& program, long keys);

/// How many small scripts one connection gets done, one after the other.
void compare_evals(const std::string& program, long count, int rounds);

/// Removing old completed jobs: as BullMQ itself does it, and in both engines.
void compare_cleans(const std::string& program, long jobs, int rounds);

/// Runs each of the named tasks, or all that are known, over `jobs` jobs in the engine that `auto`
/// chooses. Throws if a task is not known, does not do all of its work, or needs more memory than
/// moonshift promises.
void measure_tasks(const std::string& program, long jobs, const std::vector<std::string>& names);

}  // namespace bench
