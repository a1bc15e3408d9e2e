// How the audit reads the parts of large values, and who needs them.
#include <deque>

#include "store/delta/packing.hpp"
#include "store/frame_codec.hpp"
#include "store/sqlite/audit_scans.hpp"
#include "store/sqlite/packs.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view select_series =
    "SELECT id, thread_id, ns, channel, newest FROM series WHERE thread_id = ? ORDER BY ns, channel, kind";
constexpr std::string_view select_parts =
    "SELECT at, size, data FROM series_parts WHERE series = ? ORDER BY at";
constexpr std::string_view select_without_row =
    "SELECT DISTINCT series FROM series_parts WHERE series NOT IN (SELECT id FROM series) ORDER BY series";
constexpr std::string_view select_values =
    "SELECT ns, channel, version, series, data FROM checkpoint_values WHERE thread_id = ? AND series <> 0";
constexpr std::string_view select_projections =
    "SELECT ns, checkpoint_id, cuts FROM checkpoints WHERE thread_id = ? AND length(cuts) > 0";
constexpr std::string_view select_packs =
    "SELECT id FROM packs WHERE thread_id = ? AND last_checkpoint_id <> ''";
constexpr std::string_view select_frames =
    "SELECT s.run_id, s.first_no, s.cuts FROM runs AS r JOIN segments AS s ON s.run_id = r.id "
    "WHERE r.thread_id = ? AND length(s.cuts) > 0";

audit::StoredSeries read_series(Query& row) {
  audit::StoredSeries out;
  out.id = row.integer();
  out.thread_id = row.text();
  out.ns = row.text();
  out.channel = row.text();
  out.newest = row.text();
  return out;
}

audit::StoredPart read_part(Query& row) {
  audit::StoredPart out;
  out.at = row.integer();
  out.size = row.integer();
  const auto bytes = delta::unpack(row.view());
  out.whole = bytes && static_cast<std::int64_t>(bytes->size()) == out.size;
  return out;
}

std::int64_t read_id(Query& row) {
  return row.integer();
}

// The values of a thread, then what was cut out of its states, then out of its frames; then what is in packs.
class UseScan final : public BatchScan<audit::SeriesUse> {
 public:
  UseScan(Database& db, std::string thread_id)
      : thread_id_(std::move(thread_id)),
        values_(db, select_values, thread_id_),
        projections_(db, select_projections, thread_id_),
        frames_(db, select_frames, thread_id_),
        packs_(db, select_packs, thread_id_),
        reader_(db) {}

 private:
  bool add_to(std::deque<audit::SeriesUse>& out) override {
    if (values_.next()) {
      read_value(out);
    } else if (projections_.next()) {
      read_projection(out);
    } else if (frames_.next()) {
      read_frames(out);
    } else if (packs_.next()) {
      read_pack(out);
    } else {
      return false;
    }
    return true;
  }

  void read_value(std::deque<audit::SeriesUse>& out) {
    audit::SeriesUse use;
    use.where = {{"thread", thread_id_}};
    for (const auto* const name : {"ns", "channel", "version"}) use.where.emplace_back(name, values_.text());
    use.ref.series = values_.integer();
    use.ref.recipe = values_.text();
    out.push_back(std::move(use));
  }

  void read_projection(std::deque<audit::SeriesUse>& out) {
    const auto ns = projections_.text();
    const auto checkpoint_id = projections_.text();
    add_cuts(ns, checkpoint_id, projections_.view(), out);
  }

  void read_frames(std::deque<audit::SeriesUse>& out) {
    audit::SeriesUse use;
    use.where = {{"thread", thread_id_}};
    for (const auto* const name : {"run", "segment"}) use.where.emplace_back(name, frames_.text());
    for (const auto& [place, cuts] : decode_cuts(frames_.view())) add(cuts, use, out);
  }

  void read_pack(std::deque<audit::SeriesUse>& out) {
    const auto held = reader_.read(packs_.integer());
    if (!held) return;  // said where packs are checked
    for (const auto& row : held->contents->values)
      if (row.series != 0)
        out.push_back(
            {{row.series, row.data.bytes},
             {{"thread", thread_id_}, {"ns", row.ns}, {"channel", row.channel}, {"version", row.version}},
             true});
    for (const auto& row : held->contents->checkpoints)
      if (!row.cuts.bytes.empty()) add_cuts(row.ns, row.checkpoint_id, row.cuts.bytes, out);
  }

  void add_cuts(const std::string& ns, const std::string& checkpoint_id, std::string_view stored,
                std::deque<audit::SeriesUse>& out) const {
    audit::SeriesUse use;
    use.where = {{"thread", thread_id_}, {"ns", ns}, {"checkpoint", checkpoint_id}};
    std::vector<delta::Cut> cuts;
    use.readable = delta::take_cuts(stored, cuts);
    if (!use.readable) out.push_back(use);
    add(cuts, use, out);
  }

  static void add(const std::vector<delta::Cut>& cuts, audit::SeriesUse use,
                  std::deque<audit::SeriesUse>& out) {
    for (const auto& cut : cuts) {
      use.ref = cut.ref;
      out.push_back(use);
    }
  }

  std::string thread_id_;
  Query values_;
  Query projections_;
  Query frames_;
  Query packs_;
  Packs reader_;
};

}  // namespace

audit::Rows<audit::StoredSeries> scan_series(Database& db, const std::string& thread_id) {
  return scan(db, select_series, read_series, thread_id);
}
audit::Rows<audit::StoredPart> scan_parts(Database& db, std::int64_t series) {
  return scan(db, select_parts, read_part, series);
}
audit::Rows<audit::SeriesUse> scan_uses(Database& db, const std::string& thread_id) {
  return std::make_unique<UseScan>(db, thread_id);
}
audit::Rows<std::int64_t> scan_series_without_row(Database& db) {
  return scan(db, select_without_row, read_id);
}

}  // namespace dg::store::sqlite
