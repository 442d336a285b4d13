#include "redis/command_table.hpp"

#include <cctype>
#include <cstdlib>

#include "base/text.hpp"
#include "support/server.hpp"

using namespace moonshift;

namespace {

using Words = std::vector<std::string>;

std::vector<std::string_view> views(const Words& words) { return {words.begin(), words.end()}; }

/// What a script on the server gets from the command, as far as the table can tell it.
std::string server_verdict(test::Server& server, const std::string& header, const Words& words) {
  Words command{"EVAL", header + "\nreturn redis.pcall(unpack(ARGV))", "0"};
  command.insert(command.end(), words.begin(), words.end());
  const redis::Reply reply = server.call(command);
  const auto says = [&](std::string_view text) { return reply.text.starts_with(text); };
  if (!reply.is_error()) return "runs";
  if (says("ERR Unknown Redis command called from script")) return "unknown";
  if (says("ERR Wrong number of args calling Redis command from script")) return "arity";
  if (says("ERR This Redis command is not allowed from script")) return "refused";
  if (says("ERR Write commands are not allowed from read-only scripts")) return "read-only";
  return "runs";
}

std::string verdict(const redis::CommandTable& table, bool may_write, const Words& words) {
  const redis::CommandInfo* info = table.find(views(words));
  if (info == nullptr) return "unknown";
  if (!info->takes(words.size())) return "arity";
  if (info->noscript) return "refused";
  return !may_write && (info->write || info->may_replicate) ? "read-only" : "runs";
}

/// The words that name each command and each subcommand of the server, and how many it takes.
std::vector<std::pair<Words, std::int64_t>> every_command(test::Server& server) {
  std::vector<std::pair<Words, std::int64_t>> commands;
  for (const redis::Reply& entry : server.call({"COMMAND"}).elements) {
    const std::string& name = entry.elements[0].text;
    commands.push_back({{name}, entry.elements[1].integer});
    for (const redis::Reply& sub : entry.elements[9].elements) {
      commands.push_back(
          {{name, sub.elements[0].text.substr(name.size() + 1)}, sub.elements[1].integer});
    }
  }
  return commands;
}

}  // namespace

TEST_CASE("commands that only look are told from those that may write") {
  test::Server server;
  redis::Connection connection = server.endpoint().connect();
  const auto table = redis::CommandTable::read(connection);
  const auto reads = [&](std::vector<std::string_view> command) {
    return table.only_reads(command);
  };
  CHECK(reads({"GET", "k"}));
  CHECK(reads({"hGetAll", "k"}));
  CHECK(reads({"INFO", "memory"}));
  CHECK(reads({"CONFIG", "GET", "save"}));
  CHECK(reads({"XINFO", "STREAM", "k"}));
  CHECK(reads({"MEMORY", "USAGE", "k"}));
  CHECK(reads({"TIME"}));
  CHECK_FALSE(reads({"DEL", "k"}));
  CHECK_FALSE(reads({"CONFIG", "SET", "save", ""}));
  CHECK_FALSE(reads({"EVAL", "return 1", "0"}));
  CHECK_FALSE(reads({"SORT", "k", "STORE", "d"}));
  CHECK_FALSE(reads({"FLUSHALL"}));
  CHECK_FALSE(reads({"SHUTDOWN"}));
  CHECK_FALSE(reads({"NO-SUCH-COMMAND"}));
  CHECK(table.refused_in_scripts(std::vector<std::string_view>{"SUBSCRIBE", "c"}));
  CHECK(table.refused_in_scripts(std::vector<std::string_view>{"multi"}));
  CHECK(table.refused_in_scripts(std::vector<std::string_view>{"BLPOP", "k", "0"}));
  CHECK(table.refused_in_scripts(std::vector<std::string_view>{"WAIT", "1", "0"}));
  CHECK_FALSE(
      table.refused_in_scripts(std::vector<std::string_view>{"XREAD", "STREAMS", "s", "0"}));
  CHECK_FALSE(table.refused_in_scripts(std::vector<std::string_view>{"UNLINK", "k"}));
}

TEST_CASE("every command exists, takes its arguments and is refused as EVAL says") {
  test::Server server;
  redis::Connection connection = server.endpoint().connect();
  const auto table = redis::CommandTable::read(connection);
  const auto compare = [&](const Words& words) {
    const std::string command = base::printable(base::join(words, "' '"));
    CAPTURE(command);
    CHECK(verdict(table, true, words) == server_verdict(server, "", words));
    CHECK(verdict(table, false, words) == server_verdict(server, "#!lua flags=no-writes", words));
  };
  const auto commands = every_command(server);
  CHECK(commands.size() > 300);
  for (const auto& [name, arity] : commands) {
    Words words = name;
    for (auto most = static_cast<std::size_t>(std::abs(arity)) + 2; words.size() <= most;) {
      compare(words);
      words.push_back("x");
    }
    Words loud = name;
    for (std::string& word : loud) {
      for (char& c : word) c = static_cast<char>(std::toupper(c));
    }
    compare(loud);
    compare({name[0] + "x"});
    compare({name[0].substr(1), "x"});
    compare({name[0], ""});
    compare({name[0], "no-such-part", "x"});
    if (name.size() == 2) {
      compare({name[0] + "|" + name[1], "x"});
      compare({name[0] + " " + name[1], "x"});
      compare({name[0], name[0] + "|" + name[1], "x"});
    }
  }
  compare({""});
  compare({std::string(1000, 'x'), "y"});
  compare({"\xC9", "y"});
  CHECK(table.find({}) == nullptr);
  // Redis says that too, unless its hash table happens to hold both in one bucket.
  CHECK(table.find(std::vector<std::string_view>{{"get\0", 4}, "k"}) == nullptr);
}
