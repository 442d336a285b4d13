#include "task/reach.hpp"

#include "base/error.hpp"
#include "lua/library/chunk.hpp"
#include "lua/source.hpp"

namespace moonshift::task {

namespace {

using Range = Outline::Range;

/// What follows a variable: `x.f[i]` has `f` and kAnyField.
using Fields = std::span<const std::string_view>;

constexpr std::string_view kAnyField = "[]";

std::vector<std::string_view> fields_after(const Outline& outline, std::size_t token) {
  std::vector<std::string_view> fields;
  for (++token;;) {
    if (outline.text(token) == "." || outline.text(token) == ":") {
      fields.push_back(outline.text(token + 1));
      token += 2;
    } else if (outline.text(token) == "[") {
      fields.push_back(kAnyField);
      int depth = 0;
      do {
        depth += outline.text(token) == "[" ? 1 : outline.text(token) == "]" ? -1 : 0;
        ++token;
      } while (depth > 0 && token < outline.whole().last);
    } else {
      return fields;
    }
  }
}

bool may_mean(Fields fields, std::string_view field) {
  return fields.empty() || field.empty() || fields.front() == kAnyField || fields.front() == field;
}

/// The parts of a value that its fields mean, as far as it is written as a table; else all of it.
void add_parts(const ScriptFile& file, Range value, Fields fields, std::vector<Part>& parts) {
  const auto* table = fields.empty() ? nullptr : file.outline.table(value);
  if (table == nullptr) return parts.push_back({&file, value});
  for (const Outline::Field& field : table->fields) {
    const bool is_computed = field.name.empty() || field.name == kAnyField;
    if (may_mean(fields, is_computed ? std::string_view() : field.name))
      add_parts(file, field.value, fields.subspan(1), parts);
  }
}

/// `local x = require "lib.x"`
std::optional<std::string> required_library(const Outline& outline,
                                            const Outline::Statement& statement) {
  if (statement.defines.size() != 1 || statement.values.size() != 1) return std::nullopt;
  for (const Outline::Call& call : outline.calls()) {
    if (call.callee.first != statement.values.front().first || call.arguments.size() != 1) continue;
    if (outline.is_global(call.callee, "require")) return outline.literal(call.arguments.front());
  }
  return std::nullopt;
}

std::vector<Part> defined(const ScriptFile& file, std::size_t variable, Fields fields) {
  std::vector<Part> parts;
  for (const Outline::Statement& statement : file.outline.statements()) {
    for (const auto& [defined, field] : statement.defines) {
      if (defined != variable || !may_mean(fields, field)) continue;
      const bool has_one = statement.defines.size() == 1 && statement.values.size() == 1;
      const Fields rest = field.empty() || fields.empty() ? fields : fields.subspan(1);
      add_parts(file, has_one ? statement.values.front() : statement.range, rest, parts);
    }
  }
  return parts;
}

}  // namespace

const ScriptFile& Reach::open(const Source& source) {
  auto& file = files_[source.path];
  if (file) return *file;
  // LuaJIT takes more, but Redis does not.
  lua::as_lua51(source.text, source.path, lua::ChunkKind::kScript);
  file = std::make_unique<ScriptFile>(source);
  for (const Outline::Statement& statement : file->outline.statements()) {
    if (const auto library = required_library(file->outline, statement))
      file->libraries[statement.defines.front().variable] = *library;
  }
  return *file;
}

std::set<Part> Reach::from(const Part& start) {
  std::set<Part> reached{start};
  std::vector<Part> waiting{start};
  const auto add = [&](const Part& part) {
    if (reached.insert(part).second) waiting.push_back(part);
  };
  while (!waiting.empty()) {
    const Part part = waiting.back();
    waiting.pop_back();
    for (std::size_t token = part.range.first; token < part.range.last; ++token)
      for (const Part& meant : meant_by(*part.file, token)) add(meant);
  }
  return reached;
}

std::vector<Part> Reach::meant_by(const ScriptFile& file, std::size_t token) {
  const Outline& outline = file.outline;
  const std::size_t variable = outline.variable_at(token);
  if (variable >= Outline::kGlobal || !outline.variable(variable).is_top) return {};
  if (outline.variable(variable).declared_at == token) return {};
  const auto fields = fields_after(outline, token);
  if (const auto library = file.libraries.find(variable); library != file.libraries.end())
    return exported(library->second, fields);
  return defined(file, variable, fields);
}

/// What a library means by `x.field`.
std::vector<Part> Reach::exported(const std::string& name, Fields fields) {
  try {
    const ScriptFile& library = open(catalog_.library(name));
    const auto& statements = library.outline.statements();
    if (statements.empty() || statements.back().values.size() != 1) return {};
    const Range value = statements.back().values.front();
    const std::size_t module =
        value.size() == 1 ? library.outline.variable_at(value.first) : Outline::kNone;
    if (module < Outline::kGlobal) return defined(library, module, fields);
    std::vector<Part> parts;
    add_parts(library, value, fields, parts);
    return parts;
  } catch (const base::ConfigError&) {  // told by lint_requires()
    return {};
  }
}

}  // namespace moonshift::task
