#pragma once

#include <vector>

#include "health/finding.hpp"
#include "redis/endpoint.hpp"
#include "task/script.hpp"

namespace moonshift::health {

/// Runs one check. It may only read. Throws ConfigError if the script is no check or a parameter is
/// wrong, ScriptError if it fails, Aborted at the deadline, RedisError.
std::vector<Finding> run_check(task::Script& script, const task::GivenParameters& given,
                               const redis::Endpoint& endpoint, base::SteadyTime deadline);

}  // namespace moonshift::health
