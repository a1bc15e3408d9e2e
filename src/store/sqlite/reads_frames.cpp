#include <vector>

#include "store/frame_codec.hpp"
#include "store/sqlite/reads.hpp"
#include "store/sqlite/series.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view select_from =
    "SELECT first_no, count, data, cuts FROM segments WHERE run_id = ?1 AND first_no >= coalesce("
    "(SELECT max(first_no) FROM segments WHERE run_id = ?1 AND first_no <= ?2), 0) ORDER BY first_no";
constexpr std::string_view select_end =
    "SELECT first_no + count FROM segments WHERE run_id = ? ORDER BY first_no DESC LIMIT 1";
constexpr std::string_view select_backwards =
    "SELECT data, cuts FROM segments WHERE run_id = ? ORDER BY first_no DESC";

// The frame as it was appended.
Frame whole_frame(Database& db, const FrameView& view, const FrameCuts& cuts, std::uint64_t place) {
  const auto found = cuts.find(place);
  if (found == cuts.end()) return view.frame();
  return {std::string(view.event),
          delta::restore(view.data, json::View(view.data), found->second,
                         [&](const delta::Ref& ref) { return read_series_value(db, ref); })};
}

}  // namespace

Queries::FramePage read_frames(Database& db, const std::string& run_id, std::int64_t from,
                               std::size_t max_bytes) {
  Queries::FramePage page{.first = from, .frames = {}};
  std::size_t bytes = 0;
  for (Query query(db, select_from, run_id, from); query.next();) {
    const std::int64_t first = query.integer();
    const std::int64_t end = first + query.integer();
    if (end <= from) continue;
    FrameReader reader(query.view());
    const auto cuts = decode_cuts(query.view());
    std::int64_t number = first;
    for (FrameView view; reader.next(view); ++number) {
      if (number < from) continue;
      auto frame = whole_frame(db, view, cuts, static_cast<std::uint64_t>(number - first));
      bytes += frame.event.size() + frame.data.size();
      if (!page.frames.empty() && bytes > max_bytes) return page;
      page.frames.push_back(std::move(frame));
    }
  }
  return page;
}

std::int64_t read_frame_count(Database& db, const std::string& run_id) {
  Query query(db, select_end, run_id);
  return query.next() ? query.integer() : 0;
}

std::optional<Frame> read_last_frame(Database& db, const std::string& run_id, const std::string& event) {
  for (Query query(db, select_backwards, run_id); query.next();) {
    std::optional<FrameView> found;
    std::uint64_t found_at = 0;
    FrameReader reader(query.view());
    std::uint64_t place = 0;
    for (FrameView view; reader.next(view); ++place) {
      if (view.event != event) continue;
      found = view;
      found_at = place;
    }
    if (found) return whole_frame(db, *found, decode_cuts(query.view()), found_at);
  }
  return std::nullopt;
}

}  // namespace dg::store::sqlite
