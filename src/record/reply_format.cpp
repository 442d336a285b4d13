#include "record/reply_format.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>

#include "redis/base64.hpp"

namespace moonshift::record {

namespace {

using redis::Reply;
using Type = Reply::Type;

/// redis-cli indents without end, which makes gigabytes of blanks of a reply that is nested deep.
constexpr std::size_t kMostIndent = 200;

/// What a RESP2 client gets for it.
Type resp2_type(const Reply& reply) {
  switch (reply.type) {
    case Type::kDouble:
    case Type::kBigNumber:
    case Type::kVerbatim:
      return Type::kString;
    case Type::kBoolean:
      return Type::kInteger;
    case Type::kMap:
    case Type::kSet:
      return Type::kArray;
    default:
      return reply.type;
  }
}

std::string_view resp2_text(const Reply& reply) {
  const std::string_view text = reply.text;
  return reply.type == Type::kVerbatim ? text.substr(std::min<std::size_t>(4, text.size())) : text;
}

/// Walks through a reply: `format.scalar(reply)` for what is no array, and for an array
/// `format.open(reply)`, `format.element(index)` before each element, `format.close()`.
template <class Format>
void walk(const Reply& root, Format& format) {
  struct Level {
    const Reply* array;
    std::size_t next;
  };
  std::vector<Level> levels;
  const Reply* reply = &root;
  while (reply != nullptr) {
    if (resp2_type(*reply) == Type::kArray) {
      format.open(*reply);
      levels.push_back({reply, 0});
    } else {
      format.scalar(*reply);
    }
    reply = nullptr;
    while (reply == nullptr && !levels.empty()) {
      Level& level = levels.back();
      if (level.next < level.array->elements.size()) {
        format.element(level.next);
        reply = &level.array->elements[level.next++];
      } else {
        format.close();
        levels.pop_back();
      }
    }
  }
}

std::string json_text(std::string_view text) {
  using Json = nlohmann::json;
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

struct JsonFormat {
  std::string out;

  void scalar(const Reply& reply) {
    switch (resp2_type(reply)) {
      case Type::kInteger:
        out += std::to_string(reply.integer);
        break;
      case Type::kString:
        out.append(R"({"b":")").append(redis::base64_encode(resp2_text(reply))).append(R"("})");
        break;
      case Type::kStatus:
        out.append(R"({"s":)").append(json_text(reply.text)).append("}");
        break;
      case Type::kError:
        out.append(R"({"e":)").append(json_text(reply.text)).append("}");
        break;
      default:
        out += "null";
    }
  }
  void open(const Reply&) { out += '['; }
  void element(std::size_t index) {
    if (index > 0) out += ',';
  }
  void close() { out += ']'; }
};

/// As sdscatrepr of redis src/sds.c.
void append_quoted(std::string& out, std::string_view text) {
  constexpr std::string_view kEscaped = "\\\"\n\r\t\a\b", kNames = "\\\"nrtab";
  out += '"';
  for (const char c : text) {
    if (const auto name = kEscaped.find(c); name != kEscaped.npos) {
      out += '\\';
      out += kNames[name];
    } else if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  out += '"';
}

/// As cliFormatReplyTTY of redis src/redis-cli.c: an array's first element stands on the line of
/// the array's own number.
struct HumanFormat {
  std::string out;
  std::vector<std::size_t> widths;  ///< of the numbers of each array that is open
  std::size_t indent = 0;           ///< of the innermost array

  void scalar(const Reply& reply) {
    switch (resp2_type(reply)) {
      case Type::kInteger:
        out += fmt::format("(integer) {}", reply.integer);
        break;
      case Type::kString:
        append_quoted(out, resp2_text(reply));
        break;
      case Type::kStatus:
        out += reply.text;
        break;
      case Type::kError:
        out.append("(error) ").append(reply.text);
        break;
      default:
        out += "(nil)";
    }
    out += '\n';
  }
  void open(const Reply& reply) {
    if (reply.elements.empty()) out += "(empty array)\n";
    if (!widths.empty()) indent += widths.back() + 2;
    widths.push_back(std::to_string(reply.elements.size()).size());
  }
  void element(std::size_t index) {
    if (index > 0) out.append(std::min(indent, kMostIndent), ' ');
    fmt::format_to(std::back_inserter(out), "{:>{}}) ", index + 1, widths.back());
  }
  void close() {
    widths.pop_back();
    if (!widths.empty()) indent -= widths.back() + 2;
  }
};

struct RespFormat {
  std::string out;

  /// A status or an error is one line.
  void line(char type, std::string_view text) {
    out += type;
    const auto begin = static_cast<std::ptrdiff_t>(out.size());
    out += text;
    std::replace_if(
        out.begin() + begin, out.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
    out += "\r\n";
  }
  void scalar(const Reply& reply) {
    const std::string_view text = resp2_text(reply);
    switch (resp2_type(reply)) {
      case Type::kInteger:
        return line(':', std::to_string(reply.integer));
      case Type::kString:
        line('$', std::to_string(text.size()));
        out.append(text).append("\r\n");
        return;
      case Type::kStatus:
        return line('+', text);
      case Type::kError:
        return line('-', text);
      default:
        return line('$', "-1");
    }
  }
  void open(const Reply& reply) { line('*', std::to_string(reply.elements.size())); }
  void element(std::size_t) {}
  void close() {}
};

template <class Format>
std::string formatted(const Reply& reply) {
  Format format;
  walk(reply, format);
  return std::move(format.out);
}

}  // namespace

std::string to_json(const Reply& reply) { return formatted<JsonFormat>(reply); }

std::string eval_answer(const Reply& reply) {
  return reply.is_error() ? R"({"ok":false,"error":)" + json_text(reply.text) + "}"
                          : R"({"ok":true,"reply":)" + to_json(reply) + "}";
}

std::string to_human(const Reply& reply) { return formatted<HumanFormat>(reply); }

std::string to_resp(const Reply& reply) { return formatted<RespFormat>(reply); }

}  // namespace moonshift::record
