// JSON documents whose large members are kept elsewhere: states, whose channels hardly change from one
// checkpoint to the next.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace dg::store::delta {

// Where a value is: a recipe over the log of a series.
struct Ref {
  std::int64_t series = 0;
  std::string recipe;  // encoded

  bool operator==(const Ref&) const = default;
};

// A value that was cut out, by the place of its member; `whole` where the object itself was cut.
struct Cut {
  static constexpr std::uint64_t whole = ~std::uint64_t{0};
  std::uint64_t member = whole;
  Ref ref;

  bool operator==(const Cut&) const = default;
};

struct CutDocument {
  std::string text;  // still JSON, with a null where something was cut
  std::vector<Cut> cuts;
};

// Values below this stay where they are.
constexpr std::size_t smallest_cut = 512;

// Cuts the large members of `object` out of `text`, which it is part of; what is no object is cut as a whole.
// `keep` stores the JSON text of the member of that name (empty: of the whole) and says where.
CutDocument cut(std::string_view text, json::View object,
                const std::function<Ref(const std::string& member, std::string_view value)>& keep);

// The document again. `text` holds `object`; `read` gives what is kept at a place.
std::string restore(std::string_view text, json::View object, const std::vector<Cut>& cuts,
                    const std::function<std::string(const Ref&)>& read);

// As they are stored, after whatever `out` holds, and back; false when the bytes hold no whole list.
void put_cuts(std::string& out, const std::vector<Cut>& cuts);
bool take_cuts(std::string_view& bytes, std::vector<Cut>& cuts);

}  // namespace dg::store::delta
