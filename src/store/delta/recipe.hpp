// How a value is put together from the log of its series.
//
// The values that one channel takes in turn are a series. What is new in each of them is appended to
// the series' log of bytes, and a value is a recipe: ranges of the log and a few bytes of its own,
// in order. So a list that grows costs what was added, and any value can go without the others.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/spans.hpp"

namespace dg::store::delta {

// A range of the log or, where `own` is not empty, these bytes themselves.
struct Piece {
  std::uint64_t at = 0;
  std::uint64_t size = 0;  // of `own` too
  std::string own{};

  bool operator==(const Piece&) const = default;
};

// Whether a log may have such bytes; what says otherwise is damaged.
constexpr bool is_range(std::uint64_t at, std::uint64_t size) {
  constexpr std::uint64_t longest = std::uint64_t{1} << 62;
  return size <= longest && at <= longest - size;
}

class Recipe {
 public:
  // Appends a range; one that goes on where the last piece ends becomes part of it.
  void add_range(std::uint64_t at, std::uint64_t size);
  void add_own(std::string_view bytes);
  // Appends the bytes [from, from + size) of the value that `other` describes.
  void add_part(const Recipe& other, std::uint64_t from, std::uint64_t size);

  const std::vector<Piece>& pieces() const { return pieces_; }
  std::uint64_t size() const;  // of the value, in bytes

  // As it is stored: a few bytes per piece.
  std::string encode() const;
  // Nothing when the bytes are no recipe.
  static std::optional<Recipe> decode(std::string_view bytes);

  bool operator==(const Recipe&) const = default;

 private:
  std::vector<Piece> pieces_;
};

// Adds the ranges of the log that the recipe names.
void add_ranges(Spans& out, const Recipe& recipe);

}  // namespace dg::store::delta
