#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/common.hpp"
#include "record/table.hpp"

namespace moonshift::cli {

namespace {

using Json = nlohmann::ordered_json;

std::string kind_of(const task::Script& script) {
  switch (script.kind()) {
    case task::Script::Kind::kTask:
      return "task";
    case task::Script::Kind::kCheck:
      return "check";
    case task::Script::Kind::kPlain:
      break;
  }
  return "plain";
}

std::string summary_of(const task::Script& script) {
  const auto lines = script.source().documentation();
  return lines.empty() ? "" : lines.front();
}

std::string value_text(const lua::Value& fallback) {
  if (const auto* text = fallback.as<std::string>()) return *text;
  if (const auto* number = fallback.as<double>()) return fmt::format("{}", *number);
  if (const auto* flag = fallback.as<bool>()) return *flag ? "true" : "false";
  std::vector<std::string> texts;
  if (const auto* list = fallback.as<lua::Value::List>()) {
    for (const lua::Value& element : *list) texts.push_back(value_text(element));
  }
  return base::join(texts);
}

std::string default_text(const task::Parameter& parameter) {
  return parameter.required ? "required" : value_text(parameter.fallback);
}

Json to_json(const task::Script& script) {
  Json json{{"script", script.source().name},
            {"kind", kind_of(script)},
            {"path", script.source().path},
            {"documentation", base::join(script.source().documentation(), "\n")},
            {"atomic", script.atomic()},
            {"parameters", Json::array()}};
  for (const task::Parameter& parameter : script.parameters().declared()) {
    json["parameters"].push_back({{"name", parameter.name},
                                  {"type", parameter.describe_type()},
                                  {"default", default_text(parameter)},
                                  {"required", parameter.required},
                                  {"help", parameter.help}});
  }
  return json;
}

void print_help(const task::Script& script) {
  std::cout << fmt::format("{} ({}, {})\n", script.source().name, kind_of(script),
                           script.source().path);
  const auto documentation = script.source().documentation();
  if (!documentation.empty()) std::cout << "\n" << base::join(documentation, "\n") << "\n";
  if (script.parameters().declared().empty()) return;
  record::Table table({"parameter", "type", "default", "help"});
  for (const task::Parameter& parameter : script.parameters().declared()) {
    table.add({parameter.name, parameter.describe_type(), default_text(parameter), parameter.help});
  }
  std::cout << "\n" << table.to_text();
}

/// All that can be opened; the others are told.
base::ExitCode print_all(const task::Catalog& catalog, bool as_json) {
  auto result = base::ExitCode::kDone;
  Json list = Json::array();
  record::Table table({"script", "kind", "what it does"});
  for (const std::string& name : catalog.names()) {
    try {
      const task::Script script(catalog, name);
      list.push_back(to_json(script));
      table.add({name, kind_of(script), summary_of(script)});
    } catch (const std::runtime_error& error) {
      std::cerr << "moonshift: " << error.what() << "\n";
      result = base::ExitCode::kBadInput;
    }
  }
  std::cout << (as_json ? list.dump() + "\n" : table.to_text());
  return result;
}

}  // namespace

base::ExitCode scripts_command(const Arguments& arguments) {
  Parser parser("scripts [NAME] [options]", "Lists the scripts, or shows the help of one.");
  parser.take_positional("script", "a script: a name or a .lua file");
  parser.add_output_options();
  const auto parsed = parser.parse(arguments);
  if (!parsed) return base::ExitCode::kDone;

  const task::Catalog catalog = catalog_of(*parsed);
  const bool as_json = parsed->count("json") > 0;
  if (parsed->count("script") == 0) {
    return print_all(catalog, as_json);
  }
  const task::Script script(catalog, one_positional(*parsed, "script"));
  if (as_json) {
    std::cout << to_json(script).dump() << std::endl;
  } else {
    print_help(script);
  }
  return base::ExitCode::kDone;
}

}  // namespace moonshift::cli
