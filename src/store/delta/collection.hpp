// Which parts of the logs of large values nothing names any more.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "store/delta/document.hpp"
#include "store/delta/recipe.hpp"
#include "store/spans.hpp"

namespace dg::store::delta {

// Is told of some series and of everything that names values of theirs, and says then what can go.
class Collection {
 public:
  // A series as it is stored.
  void add(std::int64_t id, std::int64_t loose, std::string newest);
  bool is_empty() const { return series_.empty(); }
  std::vector<std::int64_t> ids() const;

  // What names a value; of a series that was not added it is passed over.
  void name(std::int64_t id, std::string_view recipe, bool by_frame);
  void name(const std::vector<Cut>& cuts, bool by_frame);
  // Bytes that are named by others, whose recipes are not told.
  void name(std::int64_t id, const Spans& spans);

  // Series of which nothing is named: they go with all their parts.
  std::vector<std::int64_t> unnamed() const;
  bool needs(std::int64_t id, std::int64_t at, std::int64_t size) const;
  // Series whose row has to change: what later values are compared with must be whole.
  struct Change {
    std::int64_t id = 0;
    std::string newest;
    std::int64_t loose = 0;
  };
  std::vector<Change> changes() const;

 private:
  struct Series {
    std::int64_t loose = 0;
    std::string newest;
    Spans spans;       // named
    std::string last;  // the recipe that was met last
    bool any = false;
    bool by_frames = false;
  };
  static bool covers(const Series& series);

  std::map<std::int64_t, Series> series_;
};

}  // namespace dg::store::delta
