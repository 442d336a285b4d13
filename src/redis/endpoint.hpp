#pragma once

#include <memory>

#include "redis/connection.hpp"
#include "redis/scratch_server.hpp"

namespace moonshift::redis {

/// The Redis that a URL stands for, while we use it: a scratch: URL's server lives as long as this.
class Endpoint {
 public:
  Endpoint(const Url& given, const ConnectionOptions& options) : given_(given), options_(options) {
    if (given.scheme == Url::Scheme::kScratch) {
      scratch_ = std::make_unique<ScratchServer>(given, options.deadline);
    }
  }

  Connection connect() const { return Connection(url(), options_); }

  /// What to connect to, and how.
  const Url& url() const { return scratch_ ? scratch_->url() : given_; }
  const ConnectionOptions& options() const { return options_; }

  /// What the user gave, for people.
  std::string to_string() const { return given_.to_string(); }

 private:
  Url given_;
  ConnectionOptions options_;
  std::unique_ptr<ScratchServer> scratch_;
};

}  // namespace moonshift::redis
