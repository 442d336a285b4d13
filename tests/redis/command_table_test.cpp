#include "redis/command_table.hpp"

#include "support/server.hpp"

using namespace moonshift;

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
