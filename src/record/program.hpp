#pragma once

#include <string>
#include <vector>

#include "base/duration.hpp"

namespace moonshift::record {

/// Runs a program with `input` on its standard input, and its output among our messages. Throws
/// std::runtime_error if it cannot be started, does not end with 0, or not within `timeout`, nor
/// within 2 s after a signal (see Interrupt): then it is killed, with all of its process group.
void run_program(const std::vector<std::string>& words, const std::string& input,
                 base::Duration timeout);

}  // namespace moonshift::record
