#include "redis/info.hpp"

#include "base/parse.hpp"

namespace moonshift::redis {

Info Info::parse(std::string_view text) {
  Info info;
  while (!text.empty()) {
    const auto end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    const auto colon = line.find(':');
    if (line.starts_with('#') || colon == std::string_view::npos) continue;
    info.fields_.emplace(line.substr(0, colon), line.substr(colon + 1));
  }
  return info;
}

Info Info::read(Connection& connection, std::string_view section) {
  return parse(connection.expect({"INFO", section}).text);
}

std::string Info::text(const std::string& field) const {
  const auto found = fields_.find(field);
  return found == fields_.end() ? "" : found->second;
}

std::int64_t Info::number(const std::string& field) const {
  return base::parse_number<std::int64_t>(text(field)).value_or(0);
}

}  // namespace moonshift::redis
