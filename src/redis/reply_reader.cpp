#include "redis/reply_reader.hpp"

#include <fmt/format.h>
#include <hiredis/read.h>

#include "redis/error.hpp"

namespace moonshift::redis {

namespace {

constexpr const char* kTooLarge = "ERR the reply is larger than";

}  // namespace

/// Builds the tree of one reply while hiredis parses it. `root` is what hiredis hands back.
struct ReplyReader::Builder {
  explicit Builder(base::Bytes most) : limit(static_cast<std::size_t>(most.count)) {}

  std::size_t limit;
  std::size_t size = 0;     ///< of the reply under way, about
  bool discarding = false;  ///< the reply under way is too large
  Reply root;

  static Builder& of(const redisReadTask* task) { return *static_cast<Builder*>(task->privdata); }

  /// Where the value of `task` belongs; the root stands for whatever is thrown away.
  Reply* place(const redisReadTask* task, std::size_t more) {
    size += more;
    if (size > limit && !discarding) {
      discarding = true;
      root = Reply{};
    }
    if (discarding || task->parent == nullptr) return &root;
    auto* parent = static_cast<Reply*>(task->parent->obj);
    return &parent->elements[static_cast<std::size_t>(task->idx)];
  }

  template <class Fill>
  static void* build(const redisReadTask* task, std::size_t more, Fill fill) {
    Builder& builder = of(task);
    Reply* reply = builder.place(task, more);
    if (!builder.discarding) fill(*reply);
    return reply;
  }

  static void* create_string(const redisReadTask* task, char* text, std::size_t length) {
    return build(task, length, [&](Reply& reply) {
      reply.type = task->type == REDIS_REPLY_ERROR    ? Reply::Type::kError
                   : task->type == REDIS_REPLY_STATUS ? Reply::Type::kStatus
                                                      : Reply::Type::kString;
      reply.text.assign(text, length);
    });
  }

  template <class Count>  // int in hiredis 0.14, size_t from 1.0 on
  static void* create_array(const redisReadTask* task, Count count) {
    const auto elements = static_cast<std::size_t>(count);
    return build(task, elements * sizeof(Reply), [&](Reply& reply) {
      reply.type = Reply::Type::kArray;
      reply.elements.resize(elements);
    });
  }

  static void* create_integer(const redisReadTask* task, long long value) {
    return build(task, 0, [&](Reply& reply) {
      reply.type = Reply::Type::kInteger;
      reply.integer = value;
    });
  }

  static void* create_nil(const redisReadTask* task) {
    return build(task, 0, [](Reply& reply) { reply.type = Reply::Type::kNil; });
  }

  static void free_object(void*) {}  // the builder owns the root

  static redisReplyObjectFunctions* functions() {
    static redisReplyObjectFunctions table = [] {
      redisReplyObjectFunctions made{};
      made.createString = create_string;
      made.createArray = create_array;
      made.createInteger = create_integer;
      made.createNil = create_nil;
      made.freeObject = free_object;
      return made;
    }();
    return &table;
  }
};

void ReplyReader::ReaderDeleter::operator()(redisReader* reader) const { redisReaderFree(reader); }

ReplyReader::ReplyReader(base::Bytes limit, std::string where)
    : where_(std::move(where)),
      builder_(std::make_unique<Builder>(limit)),
      reader_(redisReaderCreateWithFunctions(Builder::functions())) {
  if (!reader_) throw std::bad_alloc();
  reader_->privdata = builder_.get();
}

ReplyReader::~ReplyReader() = default;
ReplyReader::ReplyReader(ReplyReader&&) noexcept = default;

void ReplyReader::feed(std::span<const char> bytes) {
  redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
}

std::optional<Reply> ReplyReader::next() {
  void* root = nullptr;
  if (redisReaderGetReply(reader_.get(), &root) != REDIS_OK) {
    throw RedisError(RedisError::Kind::kProtocol,
                     fmt::format("{}: what came is no Redis reply: {}", where_, reader_->errstr));
  }
  if (root == nullptr) {
    if (reader_->len - reader_->pos > builder_->limit) {
      throw RedisError(RedisError::Kind::kProtocol,
                       fmt::format("{}: {} {} bytes", where_, kTooLarge, builder_->limit));
    }
    return std::nullopt;
  }
  Reply reply = builder_->discarding
                    ? Reply::error(fmt::format("{} {} bytes", kTooLarge, builder_->limit))
                    : std::move(builder_->root);
  builder_->root = Reply{};
  builder_->size = 0;
  builder_->discarding = false;
  return reply;
}

}  // namespace moonshift::redis
