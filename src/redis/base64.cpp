#include "redis/base64.hpp"

#include <openssl/evp.h>

namespace moonshift::redis {

namespace {

/// OpenSSL counts in int, so long texts go through in parts: a multiple of both 3 and 4 bytes.
constexpr std::size_t kPart = 3 * 4 * 4096;

const unsigned char* data(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* data(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '\0');
  for (std::size_t i = 0; i < bytes.size(); i += kPart) {
    const std::string_view part = bytes.substr(i, kPart);
    // It ends each part with a NUL: in the next part's place, or where the string has its own.
    EVP_EncodeBlock(data(text) + i / 3 * 4, data(part), static_cast<int>(part.size()));
  }
  return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  for (std::size_t i = 0; i < text.size(); i += kPart) {
    const std::string_view part = text.substr(i, kPart);
    if (EVP_DecodeBlock(data(bytes) + i / 4 * 3, data(part), static_cast<int>(part.size())) < 0) {
      return std::nullopt;
    }
  }
  // It takes padding for zero bytes, and lets some malformed texts pass (EVP_EncodeInit(3)).
  const auto end = text.find_last_not_of('=');
  const std::size_t padding = text.size() - (end == std::string_view::npos ? 0 : end + 1);
  if (padding > 2) return std::nullopt;
  bytes.resize(bytes.size() - padding);
  if (base64_encode(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace moonshift::redis
