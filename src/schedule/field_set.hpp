#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace moonshift::schedule {

/// One field of a time as a clock and a calendar on the wall show it.
struct Field {
  std::string_view name;
  int first, last;

  int size() const { return last - first + 1; }
};

inline constexpr Field kSecond{"second", 0, 59};
inline constexpr Field kMinute{"minute", 0, 59};
inline constexpr Field kHour{"hour", 0, 23};
inline constexpr Field kDay{"day", 1, 31};
inline constexpr Field kMonth{"month", 1, 12};
/// As ISO 8601 counts them: Monday is 1.
inline constexpr Field kWeekday{"weekday", 1, 7};
/// Those that systemd knows.
inline constexpr Field kYear{"year", 1970, 2199};

/// Which values of a field an expression names.
class FieldSet {
 public:
  /// Names none.
  explicit FieldSet(const Field& field) : field_(field) {}
  FieldSet(const Field& field, std::initializer_list<int> values);
  static FieldSet all(const Field& field);

  /// `value` is one of the field's.
  void add(int value);
  /// `other` is of the same field.
  void add(const FieldSet& other);

  bool contains(int value) const;
  bool empty() const { return count() == 0; }
  bool full() const { return count() == static_cast<std::size_t>(field_.size()); }
  std::size_t count() const;

  /// The smallest value from `least` on.
  std::optional<int> next(int least) const;

  /// In order.
  std::vector<int> values() const;

  /// The distance between neighbours, where that is the same for all of them; nothing for a single
  /// value.
  std::optional<int> step() const;

  const Field& field() const { return field_; }

 private:
  Field field_;
  /// The bit i % 64 of the word i / 64 is for the value first + i. Not a std::bitset, in which only
  /// a search bit by bit finds the next one.
  std::array<std::uint64_t, 4> words_{};
};

}  // namespace moonshift::schedule
