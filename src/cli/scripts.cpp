#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/common.hpp"
#include "record/table.hpp"
#include "task/lint.hpp"

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

/// A script's text need not be UTF-8.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
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

/// Calls visit(script) for all that can be opened; the others are told.
template <class Visit>
base::ExitCode visit_all(const task::Catalog& catalog, Visit visit) {
  auto result = base::ExitCode::kDone;
  for (const std::string& name : catalog.names()) {
    try {
      visit(task::Script(catalog, name));
    } catch (const std::runtime_error& error) {
      std::cerr << "moonshift: " << error.what() << "\n";
      result = base::ExitCode::kBadInput;
    }
  }
  return result;
}

base::ExitCode print_all(const task::Catalog& catalog, bool as_json) {
  Json list = Json::array();
  record::Table table({"script", "kind", "what it does"});
  const auto result = visit_all(catalog, [&](const task::Script& script) {
    list.push_back(to_json(script));
    table.add({script.source().name, kind_of(script), summary_of(script)});
  });
  std::cout << (as_json ? dump(list) + "\n" : table.to_text());
  return result;
}

// As Markdown

/// The documentation up to the end of its first sentence, or of its first paragraph.
std::string first_sentence(const task::Script& script) {
  std::string text;
  for (const std::string& line : script.source().documentation()) {
    if (line.empty()) break;
    text += (text.empty() ? "" : " ") + line;
  }
  const auto end = text.find(". ");
  return end == std::string::npos ? text : text.substr(0, end + 1);
}

std::string engines_of(const task::Script& script) {
  if (script.kind() == task::Script::Kind::kCheck || script.only_local()) return "local";
  return script.atomic() ? "server" : "both";
}

std::string parameters_of(const task::Script& script) {
  std::vector<std::string> texts;
  for (const task::Parameter& parameter : script.parameters().declared()) {
    const std::string value = value_text(parameter.fallback);
    texts.push_back(parameter.required ? fmt::format("`{}` (required)", parameter.name)
                    : value.empty()    ? fmt::format("`{}`", parameter.name)
                                       : fmt::format("`{}={}`", parameter.name, value));
  }
  return base::join(texts);
}

/// A cell of a table, in which `|` would begin the next.
std::string cell(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

constexpr std::string_view kBegin = "<!-- scripts: begin -->\n", kEnd = "<!-- scripts: end -->";

/// Replaces what stands between the two marks in the file.
void write_into(const std::string& path, const std::string& table) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto begin = text.find(kBegin), end = text.find(kEnd);
  if (!file || begin == std::string::npos || end == std::string::npos || end < begin) {
    throw base::ConfigError(fmt::format("--into {}: it needs a line `{}` and later a line `{}`",
                                        path, kBegin.substr(0, kBegin.size() - 1), kEnd));
  }
  const auto first = begin + kBegin.size();
  text.replace(first, end - first, table);
  std::ofstream written(path, std::ios::binary);
  written << text << std::flush;
  if (!written) throw CannotPrint(fmt::format("{} cannot be written", path));
}

base::ExitCode print_markdown(const task::Catalog& catalog, const std::string& into) {
  std::string table =
      "| script | what it does | parameters | engines |\n"
      "|---|---|---|---|\n";
  const auto result = visit_all(catalog, [&](const task::Script& script) {
    table +=
        fmt::format("| `{}` | {} | {} | {} |\n", script.source().name, cell(first_sentence(script)),
                    cell(parameters_of(script)), engines_of(script));
  });
  if (into.empty()) {
    std::cout << table;
  } else if (result == base::ExitCode::kDone) {
    write_into(into, table);
  }
  return result;
}

// Checks

base::ExitCode check_scripts(const task::Catalog& catalog, const std::vector<std::string>& names,
                             bool as_json) {
  std::set<task::Complaint> complaints;
  const auto add = [&](const std::vector<task::Complaint>& some) {
    complaints.insert(some.begin(), some.end());
  };
  if (names.empty()) add(task::lint_all(catalog));
  for (const std::string& name : names) add(task::lint(catalog, name));
  Json list = Json::array();
  for (const auto& [path, line, column, text] : complaints) {
    list.push_back({{"path", path}, {"line", line}, {"column", column}, {"text", text}});
    if (!as_json) std::cout << fmt::format("{}:{}:{}: {}\n", path, line, column, text);
  }
  if (as_json) std::cout << dump(list) << "\n";
  return complaints.empty() ? base::ExitCode::kDone : base::ExitCode::kBadInput;
}

}  // namespace

base::ExitCode scripts_command(const Arguments& arguments) {
  Parser parser(
      "scripts [NAME] [options]",
      "Lists the scripts, or shows the help of one.\n\nWith --check, looks for mistakes in "
      "all of them and their libraries, or in those that are named; exit code 2 if there "
      "are any.");
  parser.take_positional("script", "a script: a name or a .lua file");
  parser.add("Run")("check", "print what is wrong in scripts, as file:line:column: text")(
      "into", "with --output markdown: write the table between the marks in this file",
      cxxopts::value<std::string>()->default_value(""), "FILE");
  parser.add_output_options();
  parser.add("Output")("output", "text, json, or markdown: the table of README.md",
                       cxxopts::value<std::string>()->default_value("text"), "FORMAT");
  const auto parsed = parser.parse(arguments);
  if (!parsed) return base::ExitCode::kDone;

  const task::Catalog catalog = catalog_of(*parsed);
  const auto format = (*parsed)["output"].as<std::string>();
  const auto into = (*parsed)["into"].as<std::string>();
  if (format != "text" && format != "json" && format != "markdown") {
    throw base::ConfigError(
        fmt::format("--output must be text, json or markdown, not '{}'", format));
  }
  const bool as_json = parsed->count("json") > 0 || format == "json";
  const bool as_markdown = format == "markdown" && !as_json;
  if (!into.empty() && !as_markdown) throw base::ConfigError("--into is for --output markdown");
  const auto names = raw_positional(*parsed, "script");
  const bool check = parsed->count("check") > 0;
  if (as_markdown && (check || !names.empty()))
    throw base::ConfigError("--output markdown is for all the scripts");
  if (check) return check_scripts(catalog, names, as_json);
  if (as_markdown) return print_markdown(catalog, into);
  if (parsed->count("script") == 0) {
    return print_all(catalog, as_json);
  }
  const task::Script script(catalog, one_positional(*parsed, "script"));
  if (as_json) {
    std::cout << dump(to_json(script)) << std::endl;
  } else {
    print_help(script);
  }
  return base::ExitCode::kDone;
}

}  // namespace moonshift::cli
