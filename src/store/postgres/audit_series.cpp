// How the audit reads the parts of large values, and who needs them.
#include "store/audit/scans.hpp"
#include "store/delta/packing.hpp"
#include "store/frame_codec.hpp"
#include "store/postgres/audit_scans.hpp"

namespace dg::store::postgres {
namespace {

constexpr std::string_view select_series =
    "SELECT id, thread_id, checkpoint_ns, channel, newest FROM checkpoint_series WHERE thread_id = $1 "
    "ORDER BY checkpoint_ns, channel, kind";
constexpr std::string_view select_parts =
    "SELECT at, size, data FROM checkpoint_series_parts WHERE series = $1 AND at > $2 ORDER BY at";
constexpr std::string_view select_without_row =
    "SELECT DISTINCT p.series FROM checkpoint_series_parts AS p WHERE NOT EXISTS "
    "(SELECT 1 FROM checkpoint_series AS s WHERE s.id = p.series) ORDER BY p.series";
constexpr std::string_view select_values =
    "SELECT checkpoint_ns, channel, version, series, blob FROM checkpoint_values WHERE thread_id = $1 AND "
    "series <> 0";
constexpr std::string_view select_projections =
    "SELECT checkpoint_ns, checkpoint_id, cuts FROM checkpoints WHERE thread_id = $1 AND length(cuts) > 0";
constexpr std::string_view select_frames =
    "SELECT s.run_id, s.first_no::text, s.cuts FROM runs AS r JOIN run_segments AS s ON s.run_id = r.id "
    "WHERE r.thread_id = $1 AND length(s.cuts) > 0";

audit::StoredPart read_part(Rows& row) {
  audit::StoredPart out;
  out.at = row.integer();
  out.size = row.integer();
  const auto bytes = delta::unpack(row.view());
  out.whole = bytes && static_cast<std::int64_t>(bytes->size()) == out.size;
  return out;
}

std::int64_t read_id(Rows& row) {
  return row.integer();
}

class SeriesScan final : public audit::Scan<audit::StoredSeries> {
 public:
  explicit SeriesScan(Rows rows) : rows_(std::move(rows)) {}

  const audit::StoredSeries* next() override {
    if (!rows_.next()) return nullptr;
    row_.id = rows_.integer();
    row_.thread_id = rows_.text();
    row_.ns = rows_.text();
    row_.channel = rows_.text();
    row_.newest = rows_.text();
    return &row_;
  }

 private:
  Rows rows_;
  audit::StoredSeries row_;
};

// The values of a thread, then what was cut out of its states, then out of its frames. Recipes are short.
class UseScan final : public audit::BatchScan<audit::SeriesUse> {
 public:
  UseScan(BlockingSession& session, std::string thread_id)
      : thread_id_(std::move(thread_id)),
        values_(session.run(select_values, Params(thread_id_))),
        projections_(session.run(select_projections, Params(thread_id_))),
        frames_(session.run(select_frames, Params(thread_id_))) {}

 private:
  bool add_to(std::deque<audit::SeriesUse>& out) override {
    if (values_.next()) {
      read_value(out);
    } else if (projections_.next()) {
      read_projection(out);
    } else if (frames_.next()) {
      read_frames(out);
    } else {
      return false;
    }
    return true;
  }

  audit::SeriesUse named(Rows& row, std::initializer_list<const char*> names) const {
    audit::SeriesUse use;
    use.where = {{"thread", thread_id_}};
    for (const auto* const name : names) use.where.emplace_back(name, row.text());
    return use;
  }

  void read_value(std::deque<audit::SeriesUse>& out) {
    auto use = named(values_, {"ns", "channel", "version"});
    use.ref.series = values_.integer();
    use.ref.recipe = values_.text();
    out.push_back(std::move(use));
  }

  void read_projection(std::deque<audit::SeriesUse>& out) {
    auto use = named(projections_, {"ns", "checkpoint"});
    std::vector<delta::Cut> cuts;
    auto stored = projections_.view();
    use.readable = delta::take_cuts(stored, cuts);
    if (!use.readable) out.push_back(use);
    add(cuts, use, out);
  }

  void read_frames(std::deque<audit::SeriesUse>& out) {
    const auto use = named(frames_, {"run", "segment"});
    for (const auto& [place, cuts] : decode_cuts(frames_.view())) add(cuts, use, out);
  }

  static void add(const std::vector<delta::Cut>& cuts, audit::SeriesUse use,
                  std::deque<audit::SeriesUse>& out) {
    for (const auto& cut : cuts) {
      use.ref = cut.ref;
      out.push_back(use);
    }
  }

  std::string thread_id_;
  Rows values_;
  Rows projections_;
  Rows frames_;
};

}  // namespace

audit::Rows<audit::StoredSeries> scan_series(BlockingSession& session, const std::string& thread_id) {
  return std::make_unique<SeriesScan>(session.run(select_series, Params(thread_id)));
}
audit::Rows<audit::StoredPart> scan_parts(BlockingSession& session, std::int64_t series) {
  return scan_pages(session, select_parts, series, read_part, &audit::StoredPart::at);
}
audit::Rows<audit::SeriesUse> scan_uses(BlockingSession& session, const std::string& thread_id) {
  return std::make_unique<UseScan>(session, thread_id);
}
audit::Rows<std::int64_t> scan_series_without_row(BlockingSession& session) {
  return scan(session, select_without_row, read_id);
}

}  // namespace dg::store::postgres
