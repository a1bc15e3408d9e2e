// Describing the next value of a series by what its log holds already.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "store/delta/recipe.hpp"

namespace dg::store::delta {

// A value and its recipe.
struct Described {
  std::string_view bytes;
  const Recipe& recipe;
};

struct Description {
  Recipe recipe;
  std::string literal;  // what is to be appended to the log, at its end
};

// How `next` follows from `base`, where the log ends at `end`. A recipe that would have too many pieces for
// the value's size is given up: the value is appended whole.
Description describe(const Described& base, std::uint64_t end, std::string_view next);

}  // namespace dg::store::delta
