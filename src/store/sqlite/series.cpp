#include "store/sqlite/series.hpp"

#include <fmt/format.h>

#include <utility>

#include "store/delta/describe.hpp"
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
constexpr std::size_t most_held = std::size_t{64} << 20;

Error torn(std::int64_t series) {
  return {Errc::internal,
          fmt::format("parts of a stored value are missing (series {}); run `duragraph verify`", series)};
}

// Appends a range of the log to `out`.
bool read_range(Database& db, std::int64_t series, std::uint64_t at, std::uint64_t size, std::string& out) {
  const auto end = at + size;
  for (Query query(db, select_parts, series, at, end); query.next();) {
    const auto part_at = static_cast<std::uint64_t>(query.integer());
    const auto part = delta::unpack(query.view());
    if (!part || part_at > at || part_at + part->size() <= at) return false;
    const auto taken = std::min<std::uint64_t>(part->size() - (at - part_at), end - at);
    out.append(*part, at - part_at, taken);
    at += taken;
  }
  return at == end;
}

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

std::string_view to_text(SeriesKind kind) {
  return kind == SeriesKind::blob ? "blob" : "json";
}

delta::Ref SeriesWriter::add(const SeriesKey& key, std::string_view value, NamedBy by) {
  Series& series = find(key);
  const bool same = series.value == value && !series.recipe.pieces().empty();
  if (!same) {
    change(series, value, by);
    save(series);
    shed(key);
  } else if (series.loose == Loose::newest && by == NamedBy::checkpoint) {
    series.loose = Loose::none;
    save(series);
  }
  return {series.id, series.recipe.encode()};
}

void SeriesWriter::change(Series& series, std::string_view value, NamedBy by) {
  auto next = delta::describe({series.value, series.recipe}, series.size, value);
  append(series, next.literal);
  series.recipe = std::move(next.recipe);
  held_bytes_ += value.size() - series.value.size();
  series.value = value;
  if (series.loose != Loose::none) {
    series.loose = Loose::earlier;
  } else if (by == NamedBy::frame) {
    series.loose = Loose::newest;
  }
}

void SeriesWriter::append(Series& series, std::string_view literal) {
  if (literal.empty()) return;
  execute(db_, insert_part, series.id, series.size, literal.size(), Blob{delta::pack(literal)});
  series.size += literal.size();
  if (++series.pending < merge_every) return;
  merge_last_parts(db_, series.id, series.pending);
  series.pending = 0;
}

void SeriesWriter::save(const Series& series) {
  execute(db_, update_series, series.id, series.size, series.pending, std::to_underlying(series.loose),
          Blob{series.recipe.encode()});
}

SeriesWriter::Series& SeriesWriter::find(const SeriesKey& key) {
  const auto [found, is_new] = known_.try_emplace(key);
  if (is_new) {
    load(key, found->second);
    held_bytes_ += found->second.value.size();
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
    out.recipe = delta::Recipe::decode(query.view()).value_or(delta::Recipe{});
  }
  if (out.id != 0) {
    out.value = read_series_value(db_, {out.id, out.recipe.encode()});
    return;
  }
  Query query(db_, insert_series, key.thread_id, key.ns, key.channel, to_text(key.kind));
  while (query.next()) out.id = query.integer();
}

void SeriesWriter::shed(const SeriesKey& keep) {
  while (held_bytes_ > most_held && uses_.back() != keep) {
    const auto oldest = known_.find(uses_.back());
    held_bytes_ -= oldest->second.value.size();
    known_.erase(oldest);
    uses_.pop_back();
  }
}

void SeriesWriter::forget(const std::string& thread_id) {
  auto at = known_.lower_bound({thread_id, "", "", SeriesKind::blob});
  while (at != known_.end() && at->first.thread_id == thread_id) {
    held_bytes_ -= at->second.value.size();
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
    for (const auto& piece : recipe->pieces()) {
      if (!piece.own.empty()) {
        out += piece.own;
      } else if (!read_range(db, ref.series, piece.at, piece.size, out)) {
        whole = false;
        break;
      }
    }
  }
  if (!whole && !db.failed()) db.fail_with(torn(ref.series));
  return whole ? out : std::string();
}

}  // namespace dg::store::sqlite
