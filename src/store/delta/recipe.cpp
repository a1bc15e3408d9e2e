#include "store/delta/recipe.hpp"

#include <algorithm>

#include "store/delta/varint.hpp"

namespace dg::store::delta {

void Recipe::add_range(std::uint64_t at, std::uint64_t size) {
  if (size == 0) return;
  if (!pieces_.empty()) {
    Piece& last = pieces_.back();
    if (last.own.empty() && last.at + last.size == at) {
      last.size += size;
      return;
    }
  }
  pieces_.push_back({at, size, {}});
}

void Recipe::add_own(std::string_view bytes) {
  if (bytes.empty()) return;
  if (pieces_.empty() || pieces_.back().own.empty()) pieces_.push_back({});
  Piece& last = pieces_.back();
  last.own += bytes;
  last.size = last.own.size();
}

void Recipe::add_part(const Recipe& other, std::uint64_t from, std::uint64_t size) {
  for (const auto& piece : other.pieces_) {
    if (size == 0) return;
    if (from >= piece.size) {
      from -= piece.size;
      continue;
    }
    const auto taken = std::min(size, piece.size - from);
    if (piece.own.empty()) {
      add_range(piece.at + from, taken);
    } else {
      add_own(std::string_view(piece.own).substr(from, taken));
    }
    size -= taken;
    from = 0;
  }
}

std::uint64_t Recipe::size() const {
  std::uint64_t size = 0;
  for (const auto& piece : pieces_) size += piece.size;
  return size;
}

// Per piece its size with the lowest bit saying whether bytes of its own follow, else its place.
std::string Recipe::encode() const {
  std::string out;
  for (const auto& piece : pieces_) {
    put_varint(out, piece.size << 1 | (piece.own.empty() ? 0 : 1));
    if (piece.own.empty()) {
      put_varint(out, piece.at);
    } else {
      out += piece.own;
    }
  }
  return out;
}

std::optional<Recipe> Recipe::decode(std::string_view bytes) {
  Recipe recipe;
  while (!bytes.empty()) {
    std::uint64_t head = 0;
    if (!take_varint(bytes, head)) return std::nullopt;
    const auto size = head >> 1;
    std::uint64_t at = 0;
    if ((head & 1) == 0) {
      if (size == 0 || !take_varint(bytes, at) || !is_range(at, size)) return std::nullopt;
      recipe.pieces_.push_back({at, size, {}});
    } else {
      if (size == 0 || size > bytes.size()) return std::nullopt;
      recipe.pieces_.push_back({0, size, std::string(bytes.substr(0, size))});
      bytes.remove_prefix(size);
    }
  }
  return recipe;
}

void add_ranges(Spans& out, const Recipe& recipe) {
  for (const auto& piece : recipe.pieces())
    if (piece.own.empty())
      out.add(static_cast<std::int64_t>(piece.at), static_cast<std::int64_t>(piece.at + piece.size));
}

}  // namespace dg::store::delta
