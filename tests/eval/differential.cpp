#include "eval/differential.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "record/reply_format.hpp"

namespace moonshift::test {

namespace {

using redis::Reply;

void sort_elements(Reply& reply) {
  for (Reply& element : reply.elements) sort_elements(element);
  std::sort(reply.elements.begin(), reply.elements.end(),
            [](const Reply& a, const Reply& b) { return record::to_resp(a) < record::to_resp(b); });
}

std::string text_of(Reply reply, bool unordered) {
  if (unordered) sort_elements(reply);
  return base::printable(record::to_resp(reply), 100'000);
}

/// The command that reads the whole of a key, and whether the order of its answer says nothing.
struct Reading {
  std::vector<std::string> command;
  bool unordered = false;
};

Reading reading_of(const std::string& type, const std::string& key) {
  if (type == "string") return {{"GET", key}};
  if (type == "list") return {{"LRANGE", key, "0", "-1"}};
  if (type == "set") return {{"SMEMBERS", key}, true};
  if (type == "zset") return {{"ZRANGE", key, "0", "-1", "WITHSCORES"}};
  if (type == "hash") return {{"HGETALL", key}, true};
  if (type == "stream") return {{"XRANGE", key, "-", "+"}};
  return {{"DUMP", key}};
}

/// HGETALL's fields with their values, so that they can be sorted.
Reply paired(const Reply& flat) {
  Reply pairs{Reply::Type::kArray, 0, "", {}};
  for (std::size_t i = 0; i + 1 < flat.elements.size(); i += 2)
    pairs.elements.push_back(
        {Reply::Type::kArray, 0, "", {flat.elements[i], flat.elements[i + 1]}});
  return pairs;
}

std::string canonical_database(Server& server) {
  Reply keys = server.call({"KEYS", "*"});
  sort_elements(keys);
  std::string text;
  for (const Reply& key : keys.elements) {
    const std::string type = server.text({"TYPE", key.text});
    const Reading reading = reading_of(type, key.text);
    Reply content = server.call(reading.command);
    if (type == "hash") content = paired(content);
    const bool persistent = server.integer({"PTTL", key.text}) == -1;
    text += base::printable(key.text) + " " + type + (persistent ? " " : " with a TTL ") +
            text_of(std::move(content), reading.unordered) + "\n";
  }
  return text;
}

}  // namespace

Differential::Differential(const std::string& options,
                           const task::LocalEvaluator::Options& evaluator)
    : redis_(options), ours_(options), evaluator_(ours_.endpoint(), evaluator) {}

void Differential::reset(const std::vector<std::vector<std::string>>& setup) {
  for (Server* server : {&redis_, &ours_}) {
    server->call({"FLUSHALL"});
    for (const auto& command : setup) {
      const Reply reply = server->call(command);
      if (reply.is_error()) throw std::runtime_error("the set-up failed: " + reply.text);
    }
  }
}

Outcome Differential::by_redis(const task::Evaluation& evaluation, bool unordered) {
  std::vector<std::string> command{"EVAL", evaluation.script,
                                   std::to_string(evaluation.keys.size())};
  command.insert(command.end(), evaluation.keys.begin(), evaluation.keys.end());
  command.insert(command.end(), evaluation.arguments.begin(), evaluation.arguments.end());
  Reply reply = redis_.call(command);
  return {text_of(std::move(reply), unordered), canonical_dataset(redis_)};
}

Outcome Differential::by_us(const task::Evaluation& evaluation, bool unordered) {
  Reply reply = evaluator_.evaluate(evaluation).reply;
  return {text_of(std::move(reply), unordered), canonical_dataset(ours_)};
}

std::string canonical_dataset(Server& server) {
  std::string text = canonical_database(server);
  // Almost no script leaves the database that it was started in.
  const std::string keyspace = server.text({"INFO", "keyspace"});
  for (int database = 1; database < 16; ++database) {
    const std::string number = std::to_string(database);
    if (keyspace.find("db" + number + ":") == std::string::npos) continue;
    server.call({"SELECT", number});
    text += "database " + number + ":\n" + canonical_database(server);
    server.call({"SELECT", "0"});
  }
  return text;
}

}  // namespace moonshift::test
