#include <csignal>
#include <iostream>
#include <stdexcept>

#include "modes.hpp"

namespace {

constexpr std::string_view kUsage =
    "usage: bench MOONSHIFT [memory | eval | clean] [--keys COUNT] [--rounds N]\n"
    "       bench MOONSHIFT tasks [--keys COUNT] [TASK ...]\n";

struct Arguments {
  std::string program;
  std::string mode;
  std::vector<std::string> tasks;
  long keys = 0;
  int rounds = 3;
};

/// Throws std::invalid_argument.
Arguments parse(const std::vector<std::string>& words) {
  Arguments arguments;
  if (words.empty()) throw std::invalid_argument("no program");
  arguments.program = words[0];
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--keys" && i + 1 < words.size())
      arguments.keys = std::stol(words[++i]);
    else if (word == "--rounds" && i + 1 < words.size())
      arguments.rounds = std::stoi(words[++i]);
    else if (arguments.mode.empty() && !word.starts_with('-'))
      arguments.mode = word;
    else if (arguments.mode == "tasks" && !word.starts_with('-'))
      arguments.tasks.push_back(word);
    else
      throw std::invalid_argument(word);
  }
  return arguments;
}

void run(const Arguments& arguments) {
  const auto& [program, mode, tasks, keys, rounds] = arguments;
  if (mode.empty())
    bench::compare_purges(program, keys ? keys : 1'000'000, rounds);
  else if (mode == "memory")
    bench::check_memory(program, keys ? keys : 5'000'000);
  else if (mode == "eval")
    bench::compare_evals(program, keys ? keys : 40'000, rounds);
  else if (mode == "clean")
    bench::compare_cleans(program, keys ? keys : 1'000'000, rounds);
  else if (mode == "tasks")
    bench::measure_tasks(program, keys ? keys : 1'000'000, tasks);
  else
    throw std::invalid_argument(mode);
}

void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { bench::interrupted = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 3 && words[0] == "plain") {
    bench::purge_plainly(words[1], words[2] == "leaked");
    return 0;
  }
  const Arguments arguments = parse(words);
  stop_on_signals();
  run(arguments);
} catch (const std::invalid_argument&) {
  std::cerr << kUsage;
  return 2;
} catch (const std::exception& e) {
  std::cerr << "bench: " << e.what() << '\n';
  return 1;
}
