#include "store/delta/diff.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

namespace dg::store::delta {
namespace {

constexpr std::size_t block = 32;
// Below this a run that stands elsewhere is not worth a piece of its own in every later recipe: what all
// messages of a list share, say. Compression finds it anyway.
constexpr std::size_t shortest_found = 256;
// How far two strings may differ in place before they are searched: lengths at the head of a list.
constexpr std::size_t resync_within = 16;

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const auto limit = std::min(a.size(), b.size());
  std::size_t at = 0;
  for (; at + 4096 <= limit; at += 4096)
    if (std::memcmp(a.data() + at, b.data() + at, 4096) != 0) break;
  while (at < limit && a[at] == b[at]) ++at;
  return at;
}

std::size_t common_suffix(std::string_view a, std::string_view b) {
  const auto limit = std::min(a.size(), b.size());
  std::size_t size = 0;
  while (size < limit && a[a.size() - 1 - size] == b[b.size() - 1 - size]) ++size;
  return size;
}

std::uint64_t hash_block(const char* bytes) {
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < block; i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + i, 8);
    hash = std::rotl(hash ^ word, 29) * 0x9E3779B97F4A7C15U;
  }
  return hash ^ hash >> 32;
}

// Where blocks of a string stand: one place per hash, the last one that came.
class BlockIndex {
 public:
  explicit BlockIndex(std::string_view text) : text_(text) {
    const auto blocks = text.size() / block;
    places_.resize(std::bit_ceil(std::max<std::size_t>(blocks * 2, 16)), 0);
    for (std::size_t i = 0; i < blocks; ++i)
      places_[slot(text.data() + i * block)] = static_cast<std::uint32_t>(i + 1);
  }

  std::optional<std::size_t> find(const char* bytes) const {
    const auto place = places_[slot(bytes)];
    if (place == 0) return std::nullopt;
    const auto at = std::size_t{place - 1} * block;
    if (std::memcmp(text_.data() + at, bytes, block) != 0) return std::nullopt;
    return at;
  }

 private:
  std::size_t slot(const char* bytes) const { return hash_block(bytes) & (places_.size() - 1); }

  std::string_view text_;
  std::vector<std::uint32_t> places_;
};

// Goes through the new string and matches as it meets them.
class Matcher {
 public:
  Matcher(std::string_view base, std::string_view next) : base_(base), next_(next) {
    const auto size = common_prefix(base, next);
    if (size > 0) matches_.push_back({0, 0, size});
    at_ = covered_ = old_at_ = size;
  }

  std::vector<Match> run() {
    while (next_.size() - at_ >= block) {
      if (!resync() && !search()) ++at_;
    }
    take_suffix();
    return std::move(matches_);
  }

 private:
  // Takes what is equal around these places; false when it is shorter than `shortest`.
  bool take(std::size_t from, std::size_t to, std::size_t shortest) {
    const auto size = common_prefix(base_.substr(from), next_.substr(to));
    std::size_t back = 0;
    while (back < from && back < to - covered_ && base_[from - 1 - back] == next_[to - 1 - back]) ++back;
    if (size + back < shortest) return false;
    matches_.push_back({from - back, to - back, size + back});
    covered_ = at_ = to + size;
    old_at_ = from + size;
    return true;
  }

  // A few bytes may have been replaced: what follows then stands as far on as before.
  bool resync() {
    if (at_ != covered_) return false;
    for (std::size_t skip = 1; skip <= resync_within; ++skip) {
      if (old_at_ + skip + block > base_.size() || at_ + skip + block > next_.size()) return false;
      if (std::memcmp(base_.data() + old_at_ + skip, next_.data() + at_ + skip, block) == 0)
        return take(old_at_ + skip, at_ + skip, block);
    }
    return false;
  }

  bool search() {
    if (!index_) index_.emplace(base_);
    const auto from = index_->find(next_.data() + at_);
    return from && take(*from, at_, shortest_found);
  }

  // The end that both share, as far as the old string was not matched up to it: what was inserted
  // before a closing bracket is then one run, and the bracket another.
  void take_suffix() {
    const auto size = common_suffix(base_.substr(old_at_), next_.substr(covered_));
    if (size > 0) matches_.push_back({base_.size() - size, next_.size() - size, size});
  }

  std::string_view base_;
  std::string_view next_;
  std::size_t at_ = 0;       // the place in the new string
  std::size_t covered_ = 0;  // the end of the last match in it
  std::size_t old_at_ = 0;   // and in the old one
  std::optional<BlockIndex> index_;
  std::vector<Match> matches_;
};

}  // namespace

std::vector<Match> find_matches(std::string_view base, std::string_view next) {
  return Matcher(base, next).run();
}

}  // namespace dg::store::delta
