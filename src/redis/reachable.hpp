#pragma once

#include "redis/url.hpp"

namespace moonshift::redis {

/// Whether that Redis can be talked to now, as far as waiting could help: false if it does not run,
/// does not answer within seconds, is loading, or is blocked by a script. A wrong password stays
/// wrong, and is for whoever connects to tell. True of a scratch server, which is started when it
/// is needed.
bool is_reachable(const Url& url);

}  // namespace moonshift::redis
