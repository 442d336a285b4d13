#pragma once

#include <string>

namespace moonshift::base {

/// What this host calls itself (gethostname(2)): in a container, what that is called.
std::string host_name();

}  // namespace moonshift::base
