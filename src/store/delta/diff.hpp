// What two byte strings have in common.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace dg::store::delta {

// The bytes [to, to + size) of the new string are those [from, from + size) of the old one.
struct Match {
  std::size_t from = 0;
  std::size_t to = 0;
  std::size_t size = 0;

  bool operator==(const Match&) const = default;
};

// Matches in the order of the new string, not overlapping in it: the common start, what the old string holds
// in runs of about 300 bytes or more wherever it stands there, and the common end. Takes time in proportion
// to both lengths, whatever they hold, and 4 bytes of memory per 16 of the old one at most.
std::vector<Match> find_matches(std::string_view base, std::string_view next);

}  // namespace dg::store::delta
