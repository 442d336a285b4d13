#include "task/lint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "base/text.hpp"
#include "lua/library/chunk.hpp"
#include "lua/script_error.hpp"
#include "lua/source.hpp"
#include "task/command_sites.hpp"
#include "task/reach.hpp"
#include "task/script.hpp"

namespace moonshift::task {

namespace {

using Range = Outline::Range;

constexpr const char* kGlobals[] = {
    "ARGV",   "KEYS",   "_G",       "_VERSION", "assert",    "atomically",   "bit",
    "check",  "cjson",  "cmsgpack", "error",    "coroutine", "getmetatable", "glob",
    "ipairs", "math",   "next",     "pairs",    "pcall",     "pipelined",    "rawequal",
    "rawget", "rawset", "redis",    "require",  "scan",      "select",       "setmetatable",
    "string", "struct", "table",    "task",     "tonumber",  "tostring",     "type",
    "unpack", "xpcall",
};

const Parameter* find(const Parameters& parameters, const std::string& name) {
  const auto& declared = parameters.declared();
  const auto found =
      std::find_if(declared.begin(), declared.end(),
                   [&](const Parameter& parameter) { return parameter.name == name; });
  return found == declared.end() ? nullptr : &*found;
}

bool is_known_global(std::string_view name) {
  return std::find(std::begin(kGlobals), std::end(kGlobals), name) != std::end(kGlobals);
}

class Linter {
 public:
  explicit Linter(const Catalog& catalog) : catalog_(catalog), reach_(catalog) {}

  void lint(const std::string& name) {
    if (name.starts_with("lib.") && !name.ends_with(".lua"))
      return lint_library(catalog_.library(name));
    const Source source = catalog_.script(name);
    if (std::filesystem::path(source.path).parent_path().filename() == "lib")
      return lint_library(source);
    lint_script(source);
  }

  std::vector<Complaint> complaints() const { return {complaints_.begin(), complaints_.end()}; }

 private:
  void lint_script(const Source& source) {
    guard(source.path, [&] {
      const Script script(catalog_, source.name);
      if (script.kind() == Script::Kind::kPlain) {
        lua::as_lua51(source.text, source.path, lua::ChunkKind::kScript);
        lint_documentation(source, false);
        return;
      }
      lint_documentation(source, script.kind() == Script::Kind::kTask);
      const ScriptFile& file = reach_.open(source);
      lint_file(file);
      lint_declaration(file, script);
    });
  }

  void lint_library(const Source& source) {
    guard(source.path, [&] {
      lint_documentation(source, false);
      lint_file(reach_.open(source));
    });
  }

  void complain(const ScriptFile& file, std::size_t token, std::string text) {
    const auto place = file.outline.place(token);
    complaints_.insert({file.source.path, place.line, place.column, std::move(text)});
  }

  /// What is thrown is a complaint, too; a ScriptError's with the line that it begins with.
  template <class Work>
  void guard(const std::string& path, Work work) {
    try {
      work();
    } catch (const lua::ScriptError& error) {
      complain_about(path, error.what());
    } catch (const base::ConfigError& error) {
      complain_about(path, error.what());
    }
  }

  void complain_about(const std::string& path, std::string_view text) {
    Complaint complaint{path, 1, 1, std::string(text)};
    if (text.starts_with(path + ":")) {
      text.remove_prefix(path.size() + 1);
      const auto colon = text.find(": ");
      const auto line = base::parse_number<int>(std::string(text.substr(0, colon)));
      if (line) complaint.line = *line;
      complaint.text = text.substr(line ? colon + 2 : text.find_first_not_of(' '));
    }
    complaints_.insert(std::move(complaint));
  }

  // One file by itself

  void lint_documentation(const Source& source, bool is_task) {
    const auto lines = source.documentation();
    const auto complain_above = [&](const char* text) {
      complaints_.insert({source.path, 1, 1, text});
    };
    if (lines.empty() || lines.front().empty())
      return complain_above("it must begin with a comment, lines of `---`, that says what it does");
    if (!is_task) return;
    const bool says_for_what = std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
      return line.starts_with("For ");
    });
    if (!says_for_what)
      complain_above("its comment does not say which versions it is for: a line `For ...`");
    if (base::join(lines, " ").find("Never touched:") == std::string::npos)
      complain_above("its comment does not say what it leaves alone: `Never touched: ...`");
  }

  void lint_file(const ScriptFile& file) {
    lint_globals(file);
    lint_requires(file);
    for (const Site& site : command_sites(file.outline, file.outline.whole())) {
      if (!site.named() && !is_excused(file.outline, site.token, "-- commands: "))
        complain(file, site.token,
                 "which command it is cannot be checked: name it by a literal, or say "
                 "`-- commands: WHICH` on this line");
    }
  }

  void lint_globals(const ScriptFile& file) {
    const Outline& outline = file.outline;
    const auto& assigned = outline.assigned_globals();
    for (const std::size_t token : assigned)
      complain(file, token, fmt::format("'{}' is a global: make it local", outline.text(token)));
    for (std::size_t token = 0; token < outline.whole().last; ++token) {
      const bool is_global = outline.variable_at(token) == Outline::kGlobal;
      const bool is_told = std::find(assigned.begin(), assigned.end(), token) != assigned.end();
      if (is_global && !is_told && !is_known_global(outline.text(token)))
        complain(file, token, fmt::format("there is no global '{}'", outline.text(token)));
    }
  }

  void lint_requires(const ScriptFile& file) {
    for (const Outline::Call& call : file.outline.calls()) {
      if (!file.outline.is_global(call.callee, "require")) continue;
      const auto name =
          call.arguments.size() == 1 ? file.outline.literal(call.arguments.front()) : std::nullopt;
      if (!name) {
        complain(file, call.callee.first,
                 "which library it is cannot be seen: name it by a literal");
        continue;
      }
      try {
        catalog_.library(*name);
      } catch (const base::ConfigError& error) {
        complain(file, call.callee.first, error.what());
      }
    }
  }

  // A task or check with the libraries that it uses

  void lint_declaration(const ScriptFile& file, const Script& script) {
    const Outline::Table* declaration = declaration_of(file.outline);
    if (declaration == nullptr) {
      complain(
          file, file.outline.statements().back().range.first,
          "it cannot be checked: let the file end in `return task {...}` or `return check {...}`");
      return;
    }
    std::set<Part> all;
    for (const Outline::Field& field : declaration->fields) {
      if (field.name == "params") continue;
      const std::set<Part> parts = reach_.from({&file, field.value});
      if (field.name == "find" || field.name == "verify" || field.name == "run")
        lint_looking(field.name, parts);
      if (field.name == "each" && find(script.parameters(), "prefix") != nullptr) lint_keys(parts);
      all.insert(parts.begin(), parts.end());
    }
    lint_bounds(all);
    lint_parameters(file, *declaration, script.parameters(), all);
  }

  static const Outline::Table* declaration_of(const Outline& outline) {
    if (outline.statements().empty()) return nullptr;
    const Outline::Statement& last = outline.statements().back();
    if (!last.returns || last.values.size() != 1) return nullptr;
    for (const Outline::Call& call : outline.calls()) {
      const bool declares =
          outline.is_global(call.callee, "task") || outline.is_global(call.callee, "check");
      if (declares && call.callee.first == last.values.front().first && call.arguments.size() == 1)
        return outline.table(call.arguments.front());
    }
    return nullptr;
  }

  void lint_looking(std::string_view role, const std::set<Part>& parts) {
    for (const auto& [file, range] : parts) {
      for (const Site& site : command_sites(file->outline, range)) {
        if (site.named() && !only_reads(site.words))
          complain(*file, site.token,
                   fmt::format("{} only reads, and this is {}", role, name_of(site.words)));
      }
    }
  }

  void lint_bounds(const std::set<Part>& parts) {
    for (const auto& [file, range] : parts) {
      for (const Site& site : command_sites(file->outline, range)) {
        if (!site.named() || is_excused(file->outline, site.token, "-- bounded: ")) continue;
        if (const std::string why = unbounded_work(site.words); !why.empty())
          complain(*file, site.token,
                   fmt::format("{} {}: read it in pages, or say `-- bounded: WHY` on this line",
                               *site.words.front(), why));
      }
    }
  }

  void lint_keys(const std::set<Part>& parts) {
    for (const auto& [file, range] : parts) {
      for (const Site& site : command_sites(file->outline, range)) {
        const std::size_t key = site.named() ? first_key(site.words) : 0;
        if (key == 0 || key >= site.arguments.size()) continue;
        const Range argument = site.arguments[key];
        const std::size_t first = argument.first;
        if (file->outline.literal({first, first + 1}))
          complain(*file, first, "a key that does not begin with the task's own prefix");
      }
    }
  }

  void lint_parameters(const ScriptFile& file, const Outline::Table& declaration,
                       const Parameters& parameters, const std::set<Part>& parts) {
    std::set<std::string, std::less<>> used;
    bool all_used = false;
    const auto note_uses = [&](const ScriptFile& in, Range range, auto on_use) {
      for (std::size_t token = range.first; token < range.last; ++token) {
        const std::size_t variable = in.outline.variable_at(token);
        if (variable >= Outline::kGlobal || in.outline.text(token) != "p") continue;
        if (!in.outline.variable(variable).is_parameter) continue;
        all_used = all_used || in.outline.text(token + 1) == "[";
        if (in.outline.text(token + 1) == ".") on_use(token + 2);
      }
    };
    for (const auto& [in, range] : parts) {
      note_uses(*in, range, [&, outline = &in->outline](std::size_t token) {
        used.emplace(outline->text(token));
      });
    }
    // A library's `p` may be something else.
    note_uses(file, file.outline.whole(), [&](std::size_t token) {
      const std::string name(file.outline.text(token));
      if (name != "now" && find(parameters, name) == nullptr)
        complain(file, token, fmt::format("the parameter '{}' is not declared", name));
    });
    for (const Parameter& parameter : parameters.declared()) {
      if (!all_used && !used.contains(parameter.name))
        complain(file, place_of(file.outline, declaration, parameter.name),
                 fmt::format("the parameter '{}' is declared and not used", parameter.name));
    }
  }

  /// Where a parameter is declared, if that is to be seen.
  static std::size_t place_of(const Outline& outline, const Outline::Table& declaration,
                              const std::string& parameter) {
    for (const Outline::Field& field : declaration.fields) {
      const auto* table = field.name == "params" ? outline.table(field.value) : nullptr;
      if (table == nullptr) continue;
      for (const Outline::Field& declared : table->fields) {
        if (declared.name == parameter) return declared.value.first - 2;
      }
    }
    return declaration.range.first;
  }

  const Catalog& catalog_;
  Reach reach_;
  std::set<Complaint> complaints_;
};

}  // namespace

std::vector<Complaint> lint(const Catalog& catalog, const std::string& name) {
  Linter linter(catalog);
  linter.lint(name);
  return linter.complaints();
}

std::vector<Complaint> lint_all(const Catalog& catalog) {
  Linter linter(catalog);
  for (const std::string& name : catalog.names()) linter.lint(name);
  for (const std::string& name : catalog.libraries()) linter.lint(name);
  return linter.complaints();
}

std::vector<std::string> known_globals() { return {std::begin(kGlobals), std::end(kGlobals)}; }

}  // namespace moonshift::task
