#include "redis/sha1.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/evp.h>

#include <array>
#include <stdexcept>

namespace moonshift::redis {

std::string sha1_hex(std::string_view bytes) {
  std::array<unsigned char, 20> digest{};
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha1(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL does not compute SHA-1 here");  // a FIPS policy may forbid it
  }
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

}  // namespace moonshift::redis
