#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "record/notification.hpp"

namespace moonshift::record {

namespace {

using Json = nlohmann::ordered_json;

struct Placeholder {
  std::string_view name;
  Json (*value)(const Report& report);
};

constexpr std::array<Placeholder, 9> kPlaceholders{{
    {"job", [](const Report& report) -> Json { return report.name; }},
    {"run", [](const Report& report) -> Json { return report.id; }},
    {"verdict", [](const Report& report) -> Json { return health::name_of(verdict_of(report)); }},
    {"exit_code", [](const Report& report) -> Json { return static_cast<int>(report.exit_code); }},
    {"redis", [](const Report& report) -> Json { return report.redis; }},
    {"started", [](const Report& report) -> Json { return base::format_time(report.started); }},
    {"duration",
     [](const Report& report) -> Json { return base::describe_duration(report.duration); }},
    {"summary", [](const Report& report) -> Json { return summary_of(report); }},
    {"errors", [](const Report& report) -> Json { return errors_of(report); }},
}};

const Placeholder& placeholder(std::string_view name) {
  std::vector<std::string> known;
  for (const Placeholder& candidate : kPlaceholders) {
    if (candidate.name == name) return candidate;
    known.emplace_back(candidate.name);
  }
  throw base::ConfigError(fmt::format("there is no ${{{}}}{}; there are: {}", name,
                                      base::did_you_mean(name, known), base::join(known)));
}

bool begins_as_json(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
}

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string as_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) return base::join(value.get<std::vector<std::string>>(), "\n");
  return dump(value);
}

std::string escaped(const std::string& text) {
  const std::string quoted = dump(text);
  return quoted.substr(1, quoted.size() - 2);
}

/// Knows, character by character, whether it is inside of quotes.
class JsonPosition {
 public:
  void pass(std::string_view text) {
    for (const char c : text) {
      if (escapes_) {
        escapes_ = false;
      } else if (c == '"') {
        quoted_ = !quoted_;
      } else {
        escapes_ = quoted_ && c == '\\';
      }
    }
  }

  bool quoted() const { return quoted_; }

 private:
  bool quoted_ = false;
  bool escapes_ = false;
};

}  // namespace

std::string fill_template(const std::string& text, const Report& report) {
  const bool json = begins_as_json(text);
  JsonPosition position;
  std::string filled;
  std::string_view rest = text;
  for (auto at = rest.find("${"); at != std::string_view::npos; at = rest.find("${")) {
    const auto end = rest.find('}', at);
    if (end == std::string_view::npos) throw base::ConfigError("a '${' has no '}'");
    const Json value = placeholder(rest.substr(at + 2, end - at - 2)).value(report);
    position.pass(rest.substr(0, at));
    filled += rest.substr(0, at);
    filled += !json ? as_text(value) : position.quoted() ? escaped(as_text(value)) : dump(value);
    rest.remove_prefix(end + 1);
  }
  return filled += rest;
}

void check_template(const std::string& text) {
  const std::string filled = fill_template(text, Report{});
  if (begins_as_json(text) && !Json::accept(filled)) {
    throw base::ConfigError("it begins as JSON, but with its placeholders filled in it is none");
  }
}

HttpRequest webhook_request(const std::string& url, const std::string& body_template,
                            const Report& report) {
  constexpr const char* kJson = "Content-Type: application/json";
  if (body_template.empty()) return {url, {kJson}, to_json(report)};
  const bool json = begins_as_json(body_template);
  return {url,
          {json ? kJson : "Content-Type: text/plain; charset=utf-8"},
          fill_template(body_template, report)};
}

}  // namespace moonshift::record
