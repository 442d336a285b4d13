#include "schedule/field_set.hpp"

#include <algorithm>
#include <bit>

namespace moonshift::schedule {

FieldSet::FieldSet(const Field& field, std::initializer_list<int> values) : field_(field) {
  for (const int value : values) add(value);
}

FieldSet FieldSet::all(const Field& field) {
  FieldSet set(field);
  for (int value = field.first; value <= field.last; ++value) set.add(value);
  return set;
}

void FieldSet::add(int value) {
  const auto index = static_cast<std::size_t>(value - field_.first);
  words_.at(index / 64) |= std::uint64_t{1} << index % 64;
}

void FieldSet::add(const FieldSet& other) {
  for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
}

std::size_t FieldSet::count() const {
  std::size_t count = 0;
  for (const std::uint64_t word : words_) count += static_cast<std::size_t>(std::popcount(word));
  return count;
}

bool FieldSet::contains(int value) const {
  if (value < field_.first || value > field_.last) return false;
  const auto index = static_cast<std::size_t>(value - field_.first);
  return (words_[index / 64] >> index % 64 & 1) != 0;
}

std::optional<int> FieldSet::next(int least) const {
  const auto from = static_cast<std::size_t>(std::max(least, field_.first) - field_.first);
  std::uint64_t from_on = ~std::uint64_t{0} << from % 64;
  for (std::size_t i = from / 64; i < words_.size(); ++i, from_on = ~std::uint64_t{0}) {
    const std::uint64_t found = words_[i] & from_on;
    if (found != 0) return field_.first + static_cast<int>(i) * 64 + std::countr_zero(found);
  }
  return std::nullopt;
}

std::vector<int> FieldSet::values() const {
  std::vector<int> values;
  for (auto value = next(field_.first); value; value = next(*value + 1)) values.push_back(*value);
  return values;
}

std::optional<int> FieldSet::step() const {
  const std::vector<int> all = values();
  if (all.size() < 2) return std::nullopt;
  for (std::size_t i = 2; i < all.size(); ++i) {
    if (all[i] - all[i - 1] != all[1] - all[0]) return std::nullopt;
  }
  return all[1] - all[0];
}

}  // namespace moonshift::schedule
