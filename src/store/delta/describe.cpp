#include "store/delta/describe.hpp"

#include <algorithm>
#include <cmath>

#include "store/delta/diff.hpp"

namespace dg::store::delta {
namespace {

// Runs below this are kept in the recipe itself, so that a length at a list's head, or the bracket at its
// end, does not part what stands around it in the log.
constexpr std::size_t own_below = 32;

class Describer {
 public:
  Describer(const Described& base, std::uint64_t end, std::string_view next)
      : base_(base), end_(end), next_(next) {}

  Description run() {
    for (const auto& match : find_matches(base_.bytes, next_)) {
      const bool ends = match.to + match.size == next_.size();
      if (match.size < own_below && !ends) continue;
      add_new(match.to);
      if (match.size < own_below) {
        out_.recipe.add_own(next_.substr(match.to));
      } else {
        out_.recipe.add_part(base_.recipe, match.from, match.size);
      }
      done_ = match.to + match.size;
    }
    add_new(next_.size());
    return out_.recipe.pieces().size() > most_pieces() ? whole() : std::move(out_);
  }

 private:
  void add_new(std::size_t to) {
    const auto fresh = next_.substr(done_, to - done_);
    if (fresh.size() < own_below) {
      out_.recipe.add_own(fresh);
    } else {
      out_.recipe.add_range(end_ + out_.literal.size(), fresh.size());
      out_.literal += fresh;
    }
  }

  // Recipes cost as much as appending the value anew now and then when they have so many pieces.
  std::size_t most_pieces() const {
    return std::max<std::size_t>(64,
                                 static_cast<std::size_t>(std::sqrt(static_cast<double>(next_.size()) / 4)));
  }

  Description whole() const {
    Description out;
    out.recipe.add_range(end_, next_.size());
    out.literal = next_;
    return out;
  }

  const Described& base_;
  std::uint64_t end_;
  std::string_view next_;
  std::size_t done_ = 0;
  Description out_;
};

}  // namespace

Description describe(const Described& base, std::uint64_t end, std::string_view next) {
  return Describer(base, end, next).run();
}

}  // namespace dg::store::delta
