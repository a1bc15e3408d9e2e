#include "store/sqlite/series.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "store/delta/packing.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view select_series =
    "SELECT id, size, pending, loose, newest FROM series WHERE thread_id = ? AND ns = ? AND channel = ? AND "
    "kind = ?";
constexpr std::string_view insert_series =
    "INSERT INTO series (thread_id, ns, channel, kind) VALUES (?, ?, ?, ?) RETURNING id";
constexpr std::string_view update_series =
    "UPDATE series SET size = ?2, pending = ?3, loose = ?4, newest = ?5 WHERE id = ?1";
constexpr std::string_view insert_part =
    "INSERT INTO series_parts (series, at, size, data) VALUES (?, ?, ?, ?)";
constexpr std::string_view select_parts =
    "SELECT at, data FROM series_parts WHERE series = ?1 AND at < ?3 AND at >= "
    "(SELECT coalesce(max(at), 0) FROM series_parts WHERE series = ?1 AND at <= ?2) ORDER BY at";
constexpr std::string_view select_last_parts =
    "SELECT at, size, data FROM series_parts WHERE series = ? ORDER BY at DESC LIMIT ?";
constexpr std::string_view delete_range = "DELETE FROM series_parts WHERE series = ? AND at BETWEEN ? AND ?";

constexpr std::int64_t merge_every = 64;
constexpr std::size_t most_merged = std::size_t{256} << 10;
Error torn(std::int64_t series) {
  return {Errc::internal,
          fmt::format("parts of a stored value are missing (series {}); run `duragraph verify`", series)};
}

// Reads ranges of one log. Ranges mostly follow one another, so the last part is kept unpacked.
class LogReader {
 public:
  LogReader(Database& db, std::int64_t series) : db_(db), series_(series) {}

  // Appends the range to `out`; false when parts of it are missing.
  bool read(std::uint64_t at, std::uint64_t size, std::string& out) {
    const auto end = at + size;
    take(at, end, out);
    if (at == end) return true;
    for (Query query(db_, select_parts, series_, at, end); query.next();) {
      part_at_ = static_cast<std::uint64_t>(query.integer());
      auto part = delta::unpack(query.view());
      if (!part) return false;
      part_ = std::move(*part);
      if (!take(at, end, out)) return false;
    }
    return at == end;
  }

 private:
  // Takes what the part holds from `at` on.
  bool take(std::uint64_t& at, std::uint64_t end, std::string& out) const {
    if (at < part_at_ || at >= part_at_ + part_.size()) return false;
    const auto taken = std::min<std::uint64_t>(part_.size() - (at - part_at_), end - at);
    out.append(part_, at - part_at_, taken);
    at += taken;
    return true;
  }

  Database& db_;
  std::int64_t series_;
  std::uint64_t part_at_ = 0;
  std::string part_;
};

// Writes the last small parts of a log as one, which compresses better than they did.
void merge_last_parts(Database& db, std::int64_t series, std::int64_t count) {
  std::string merged;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::int64_t members = 0;
  for (Query query(db, select_last_parts, series, count); query.next();) {
    const auto at = static_cast<std::uint64_t>(query.integer());
    const auto size = static_cast<std::size_t>(query.integer());
    const bool joins = members == 0 || at + size == first;
    if (!joins || merged.size() + size > most_merged) break;
    const auto part = delta::unpack(query.view());
    if (!part) return;
    if (members == 0) last = at;
    merged.insert(0, *part);
    first = at;
    ++members;
  }
  if (members < 2) return;
  execute(db, delete_range, series, first, last);
  execute(db, insert_part, series, first, merged.size(), Blob{delta::pack(merged)});
}

}  // namespace

delta::Ref SeriesWriter::add(const SeriesKey& key, std::string_view value, NamedBy by) {
  Series& series = find(key);
  const auto held = series.bytes();
  const auto added = series.add(value, by);
  held_bytes_ = held_bytes_ - held + series.bytes();
  append(series, added);
  if (added.changed) save(series);
  shed(key);
  return {series.id, added.recipe.encode()};
}

void SeriesWriter::append(Series& series, const Series::Added& added) {
  if (added.literal.empty()) return;
  execute(db_, insert_part, series.id, added.at, added.literal.size(), Blob{delta::pack(added.literal)});
  if (series.pending < merge_every) return;
  merge_last_parts(db_, series.id, series.pending);
  series.pending = 0;
}

void SeriesWriter::save(const Series& series) {
  execute(db_, update_series, series.id, series.size, series.pending, std::to_underlying(series.loose),
          Blob{series.newest.recipe.encode()});
}

SeriesWriter::Series& SeriesWriter::find(const SeriesKey& key) {
  const auto [found, is_new] = known_.try_emplace(key);
  if (is_new) {
    load(key, found->second);
    held_bytes_ += found->second.bytes();
    uses_.push_front(key);
  } else {
    uses_.splice(uses_.begin(), uses_, found->second.use);
  }
  found->second.use = uses_.begin();
  return found->second;
}

void SeriesWriter::load(const SeriesKey& key, Series& out) {
  if (Query query(db_, select_series, key.thread_id, key.ns, key.channel, to_text(key.kind)); query.next()) {
    out.id = query.integer();
    out.size = static_cast<std::uint64_t>(query.integer());
    out.pending = query.integer();
    out.loose = static_cast<Loose>(query.integer());
    out.newest.recipe = delta::Recipe::decode(query.view()).value_or(delta::Recipe{});
  }
  if (out.id != 0) {
    out.newest.bytes = read_series_value(db_, {out.id, out.newest.recipe.encode()});
    return;
  }
  Query query(db_, insert_series, key.thread_id, key.ns, key.channel, to_text(key.kind));
  while (query.next()) out.id = query.integer();
}

void SeriesWriter::shed(const SeriesKey& keep) {
  while (held_bytes_ > most_held_ && uses_.back() != keep) {
    const auto oldest = known_.find(uses_.back());
    held_bytes_ -= oldest->second.bytes();
    known_.erase(oldest);
    uses_.pop_back();
  }
}

void SeriesWriter::forget(const std::string& thread_id) {
  auto at = known_.lower_bound({thread_id, "", "", SeriesKind::blob});
  while (at != known_.end() && at->first.thread_id == thread_id) {
    held_bytes_ -= at->second.bytes();
    uses_.erase(at->second.use);
    at = known_.erase(at);
  }
}

void SeriesWriter::forget() {
  known_.clear();
  uses_.clear();
  held_bytes_ = 0;
}

std::string read_series_value(Database& db, const delta::Ref& ref) {
  std::string out;
  const auto recipe = delta::Recipe::decode(ref.recipe);
  bool whole = recipe.has_value();
  if (whole) {
    out.reserve(recipe->size());
    LogReader log(db, ref.series);
    for (const auto& piece : recipe->pieces()) {
      if (!piece.own.empty()) {
        out += piece.own;
      } else if (!log.read(piece.at, piece.size, out)) {
        whole = false;
        break;
      }
    }
  }
  if (!whole && !db.failed()) db.fail_with(torn(ref.series));
  return whole ? out : std::string();
}

}  // namespace dg::store::sqlite
