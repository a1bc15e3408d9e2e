// Large values out of their series (store/delta/recipe.hpp): however many they are, one round trip.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/delta/document.hpp"
#include "store/postgres/connection.hpp"
#include "store/spans.hpp"

namespace dg::store::postgres {

// First told what is wanted, then filled with the parts of the logs that this needs, each once.
class SeriesValues {
 public:
  void want(const delta::Ref& ref);
  // Whether nothing is wanted that is not held already.
  bool empty() const { return wanted_.empty(); }

  // Adds the statement that reads the parts and gives the place of its rows, which `take` then keeps.
  std::size_t add_to(Pipeline& pipeline) const;
  void take(Rows& rows);

  // Puts a value together that was wanted. Where parts of it are missing or damaged the value is empty, and
  // the failure stays.
  std::string value(const delta::Ref& ref);
  bool has_failed() const { return torn_ != 0; }
  Failure failure() const;

 private:
  bool append(std::int64_t series, std::uint64_t at, std::uint64_t size, std::string& out) const;

  std::map<std::int64_t, Spans> wanted_;                                 // ranges by series
  std::map<std::pair<std::int64_t, std::uint64_t>, std::string> parts_;  // unpacked, by series and place
  std::int64_t torn_ = 0;  // the first series that lacks something
};

// The values at these places, in order. A failure when parts of one are missing or damaged.
Task<Outcome<std::vector<std::string>>> read_series_values(Connection& db, std::vector<delta::Ref> refs);

}  // namespace dg::store::postgres
