#include <algorithm>
#include <limits>

#include "base/json.hpp"
#include "store/delta/recipe.hpp"
#include "store/frame_codec.hpp"
#include "store/postgres/reads.hpp"
#include "store/postgres/reads_rows.hpp"
#include "store/postgres/snapshot.hpp"

namespace dg::store::postgres {
namespace {

// The segment that holds frame $2, of which little may be wanted, the next one, and as many behind it as
// begin within $3 bytes of that one's start. The sizes are known without the bytes.
constexpr std::string_view select_from =
    "SELECT first_no, data, cuts FROM (SELECT first_no, data, cuts, "
    "sum(octet_length(data)) OVER places - octet_length(data) - first_value(octet_length(data)) OVER places "
    "AS before "
    "FROM run_segments WHERE run_id = $1 AND first_no + count > $2 AND first_no >= coalesce((SELECT first_no "
    "FROM run_segments WHERE run_id = $1 AND first_no <= $2 ORDER BY first_no DESC LIMIT 1), 0) "
    "WINDOW places AS (ORDER BY first_no) ORDER BY first_no LIMIT 4096) AS s "
    "WHERE before <= 0 OR before < $3 ORDER BY first_no";
constexpr std::string_view select_end =
    "SELECT first_no + count FROM run_segments WHERE run_id = $1 ORDER BY first_no DESC LIMIT 1";
constexpr std::string_view select_backwards =
    "SELECT data, cuts FROM run_segments WHERE run_id = $1 ORDER BY first_no DESC";
constexpr std::string_view select_last =
    "SELECT data, cuts FROM run_segments WHERE run_id = $1 ORDER BY first_no DESC LIMIT 4";
constexpr std::int64_t last_segments = 4;
constexpr std::int64_t segments_at_once = 16;  // which may be large

// A frame whose large channels are not in it yet.
struct StoredFrame {
  Frame frame;
  std::vector<delta::Cut> cuts;

  // Of the whole frame.
  std::size_t bytes() const {
    std::size_t bytes = frame.event.size() + frame.data.size();
    for (const auto& cut : cuts)
      if (const auto recipe = delta::Recipe::decode(cut.ref.recipe)) bytes += recipe->size();
    return bytes;
  }
};
using StoredFrames = std::vector<StoredFrame>;

StoredFrame stored_frame(const FrameView& view, const FrameCuts& cuts, std::uint64_t place) {
  const auto found = cuts.find(place);
  return {view.frame(), found == cuts.end() ? std::vector<delta::Cut>{} : found->second};
}

void want(SeriesValues& values, const StoredFrames& frames) {
  for (const auto& stored : frames)
    for (const auto& cut : stored.cuts) values.want(cut.ref);
}

void finish(StoredFrames& frames, SeriesValues& values) {
  for (auto& [frame, cuts] : frames)
    if (!cuts.empty())
      frame.data = delta::restore(frame.data, json::View(frame.data), cuts,
                                  [&](const delta::Ref& ref) { return values.value(ref); });
}

// Takes frames from number `from` on until the page is full.
StoredFrames page_of(Rows& rows, std::int64_t from, std::size_t max_bytes) {
  StoredFrames page;
  std::size_t bytes = 0;
  while (rows.next()) {
    const std::int64_t first = rows.integer();
    FrameReader reader(rows.view());
    const auto cuts = decode_cuts(rows.view());
    std::int64_t number = first;
    for (FrameView view; reader.next(view); ++number) {
      if (number < from) continue;
      auto frame = stored_frame(view, cuts, static_cast<std::uint64_t>(number - first));
      bytes += frame.bytes();
      if (!page.empty() && bytes > max_bytes) return page;
      page.push_back(std::move(frame));
    }
  }
  return page;
}

Task<Outcome<StoredFrames>> frames_from(Snapshot& snapshot, SeriesValues& values, std::string run_id,
                                        std::int64_t from, std::size_t max_bytes) {
  Pipeline pipeline;
  constexpr auto most = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
  pipeline.add(select_from, run_id, from, std::min(max_bytes, most));
  auto results = co_await snapshot.run(std::move(pipeline), Snapshot::Then::done);
  if (!results) co_return fail_with(std::move(results.error()));
  auto page = page_of(results->front(), from, max_bytes);
  want(values, page);
  co_return page;
}

// The last frame of that event in segments that come newest first.
StoredFrames last_of(Rows& rows, const std::string& event) {
  while (rows.next()) {
    std::optional<FrameView> found;
    std::uint64_t found_at = 0;
    FrameReader reader(rows.view());
    std::uint64_t place = 0;
    for (FrameView view; reader.next(view); ++place) {
      if (view.event != event) continue;
      found = view;
      found_at = place;
    }
    if (found) return {stored_frame(*found, decode_cuts(rows.view()), found_at)};
  }
  return {};
}

Task<Outcome<StoredFrames>> last_by_walk(Snapshot& snapshot, std::string run_id, std::string event) {
  Walk walk(snapshot, "segment_walk", select_backwards, Params(run_id), segments_at_once);
  while (true) {
    auto rows = co_await walk.next();
    if (!rows) co_return fail_with(std::move(rows.error()));
    auto found = last_of(*rows, event);
    if (!found.empty() || rows->size() == 0) co_return found;
  }
}

// It is mostly near the end.
Task<Outcome<StoredFrames>> last_frame(Snapshot& snapshot, SeriesValues& values, std::string run_id,
                                       std::string event) {
  Pipeline pipeline;
  pipeline.add(select_last, run_id);
  auto results = co_await snapshot.run(std::move(pipeline), Snapshot::Then::done);
  if (!results) co_return fail_with(std::move(results.error()));
  auto found = last_of(results->front(), event);
  if (found.empty() && results->front().size() == last_segments) {
    auto further = co_await last_by_walk(snapshot, std::move(run_id), std::move(event));
    if (!further) co_return fail_with(std::move(further.error()));
    found = std::move(*further);
  }
  want(values, found);
  co_return found;
}

}  // namespace

Task<Outcome<Queries::FramePage>> read_frames(Connection& db, std::string run_id, std::int64_t from,
                                              std::size_t max_bytes) {
  auto found = co_await read_with_values<StoredFrames>(
      db,
      [&](Snapshot& snapshot, SeriesValues& values) {
        return frames_from(snapshot, values, run_id, from, max_bytes);
      },
      finish);
  if (!found) co_return fail_with(std::move(found.error()));
  Queries::FramePage page{.first = from, .frames = {}};
  for (auto& stored : *found) page.frames.push_back(std::move(stored.frame));
  co_return page;
}

Task<Outcome<std::int64_t>> read_frame_count(Connection& db, std::string run_id) {
  auto rows = co_await db.query(select_end, run_id);
  if (!rows) co_return fail_with(std::move(rows.error()));
  co_return rows->next() ? rows->integer() : 0;
}

Task<Outcome<std::optional<Frame>>> read_last_frame(Connection& db, std::string run_id, std::string event) {
  auto found = co_await read_with_values<StoredFrames>(
      db,
      [&](Snapshot& snapshot, SeriesValues& values) { return last_frame(snapshot, values, run_id, event); },
      finish);
  if (!found) co_return fail_with(std::move(found.error()));
  if (found->empty()) co_return std::nullopt;
  co_return std::move(found->front().frame);
}

}  // namespace dg::store::postgres
