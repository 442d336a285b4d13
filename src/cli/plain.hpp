#pragma once

#include "cli/common.hpp"
#include "task/evaluator.hpp"

namespace moonshift::cli {

// What `eval` and `run` share to run a plain script.

void add_plain_options(Parser& parser);

struct PlainWords {
  std::vector<std::string> keys, arguments;
};

/// As redis-cli --eval takes them: keys, a comma that stands alone, arguments.
PlainWords split_plain_words(std::vector<std::string> words);

/// Throws ConfigError if it cannot be read. `-` is standard input.
std::string read_script_file(const std::string& path);

/// Runs the script and prints its reply as `json`, `resp` or `human`.
base::ExitCode run_plain(const cxxopts::ParseResult& parsed, const std::string& engine,
                         task::Evaluation evaluation, const std::string& format);

}  // namespace moonshift::cli
