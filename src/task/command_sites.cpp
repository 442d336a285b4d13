#include "task/command_sites.hpp"

#include <algorithm>
#include <set>

#include "base/parse.hpp"

namespace moonshift::task {

using Range = Outline::Range;

namespace {

std::optional<std::string> word_at(const Outline& outline, Range range) {
  if (auto text = outline.literal(range)) return text;
  const bool negative = range.size() == 2 && outline.text(range.first) == "-";
  const std::string digits(outline.text(range.last - 1));
  if ((range.size() != 1 && !negative) || !base::parse_number<double>(digits)) return std::nullopt;
  return (negative ? "-" : "") + digits;
}

Site site_of(const Outline& outline, std::size_t token, std::vector<Range> arguments) {
  Site site{token, {}, std::move(arguments)};
  for (const Range& argument : site.arguments) site.words.push_back(word_at(outline, argument));
  return site;
}

std::vector<Range> elements_of(const Outline::Table& table) {
  std::vector<Range> elements;
  for (const Outline::Field& field : table.fields) {
    if (field.name.empty()) elements.push_back(field.value);
  }
  return elements;
}

bool is_call_to_redis(const Outline& outline, Range range) {
  return outline.is_global(range, "redis.call") || outline.is_global(range, "redis.pcall");
}

/// Both commands of `condition and "A" or "B"`; the argument itself if it is something else.
std::vector<Range> choices(const Outline& outline, Range argument) {
  if (argument.size() < 5) return {argument};
  const Range last{argument.last - 1, argument.last}, first{argument.last - 3, argument.last - 2};
  const bool chooses = outline.text(argument.last - 2) == "or" &&
                       outline.text(argument.last - 4) == "and" && outline.literal(last) &&
                       outline.literal(first);
  return chooses ? std::vector<Range>{first, last} : std::vector<Range>{argument};
}

void add_sites(const Outline& outline, std::size_t token, std::vector<Range> arguments,
               std::vector<Site>& sites) {
  if (arguments.empty()) return;  // an error anyway
  for (const Range& name : choices(outline, arguments.front())) {
    arguments.front() = name;
    sites.push_back(site_of(outline, token, arguments));
  }
}

/// The commands that are written down as tables, and what pipelined{...} has instead of such.
void add_tables(const Outline& outline, Range range, std::vector<Site>& sites) {
  for (const Outline::Table& table : outline.tables()) {
    if (!range.contains(table.range.first)) continue;
    std::vector<Site> found;
    add_sites(outline, table.range.first, elements_of(table), found);
    std::erase_if(
        found, [](const Site& site) { return !site.named() || !is_command(*site.words.front()); });
    sites.insert(sites.end(), found.begin(), found.end());
  }
  for (const Outline::Call& call : outline.calls()) {
    if (!range.contains(call.callee.first) || !outline.is_global(call.callee, "pipelined"))
      continue;
    const auto* list = call.arguments.empty() ? nullptr : outline.table(call.arguments.front());
    if (list == nullptr) continue;
    for (const Range& element : elements_of(*list)) {
      const auto* command = outline.table(element);
      const auto words = command ? elements_of(*command) : std::vector<Range>();
      if (!words.empty() && !outline.literal(choices(outline, words.front()).front()))
        sites.push_back({element.first, {}, {}});
    }
  }
}

}  // namespace

std::vector<Site> command_sites(const Outline& outline, Range range) {
  std::vector<Site> sites;
  std::set<std::size_t> called;
  for (const Outline::Call& call : outline.calls()) {
    const std::size_t token = call.callee.first;
    if (!range.contains(token)) continue;
    const auto& arguments = call.arguments;
    const bool is_write = call.callee.size() == 1 && outline.text(token) == "write" &&
                          outline.variable_at(token) != Outline::kGlobal;
    if (is_write || is_call_to_redis(outline, call.callee)) {
      called.insert(token);
      add_sites(outline, token, arguments, sites);
    } else if (outline.is_global(call.callee, "pcall") && arguments.size() > 1 &&
               is_call_to_redis(outline, arguments.front())) {
      called.insert(arguments.front().first);
      add_sites(outline, arguments.front().first, {arguments.begin() + 1, arguments.end()}, sites);
    }
  }
  add_tables(outline, range, sites);
  // As a value it could be called with anything.
  for (std::size_t token = range.first; token + 2 < range.last; ++token) {
    if (is_call_to_redis(outline, {token, token + 3}) && !called.contains(token))
      sites.push_back({token, {}, {}});
  }
  return sites;
}

bool is_excused(const Outline& outline, std::size_t token, std::string_view excuse) {
  const std::string_view line = outline.line_of(token);
  const auto comment = line.find(excuse);
  return comment != std::string_view::npos &&
         line.find_first_not_of(" \r", comment + excuse.size()) != std::string_view::npos;
}

}  // namespace moonshift::task
