#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "record/report.hpp"

namespace moonshift::record {

std::string make_run_id(base::UnixTime time) {
  std::string id = base::format_time(time).substr(0, 19) + "Z";
  std::erase_if(id, [](char c) { return c == '-' || c == ':'; });
  return fmt::format("{}-{:06x}", id, std::random_device{}() & 0xFFFFFFu);
}

}  // namespace moonshift::record
