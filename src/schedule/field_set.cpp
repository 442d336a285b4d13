#include "schedule/field_set.hpp"

namespace moonshift::schedule {

FieldSet::FieldSet(const Field& field, std::initializer_list<int> values) : field_(field) {
  for (const int value : values) add(value);
}

FieldSet FieldSet::all(const Field& field) {
  FieldSet set(field);
  for (int value = field.first; value <= field.last; ++value) set.add(value);
  return set;
}

bool FieldSet::contains(int value) const {
  return value >= field_.first && value <= field_.last &&
         bits_.test(static_cast<std::size_t>(value - field_.first));
}

std::optional<int> FieldSet::next(int least) const {
  for (int value = std::max(least, field_.first); value <= field_.last; ++value) {
    if (contains(value)) return value;
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
