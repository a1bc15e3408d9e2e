#include <vector>

#include "store/sqlite/frame_codec.hpp"
#include "store/sqlite/reads.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view select_from =
    "SELECT first_no, count, data FROM segments WHERE run_id = ?1 AND first_no >= coalesce("
    "(SELECT max(first_no) FROM segments WHERE run_id = ?1 AND first_no <= ?2), 0) ORDER BY first_no";
constexpr std::string_view select_end =
    "SELECT first_no + count FROM segments WHERE run_id = ? ORDER BY first_no DESC LIMIT 1";
constexpr std::string_view select_backwards =
    "SELECT data FROM segments WHERE run_id = ? ORDER BY first_no DESC";

}  // namespace

Queries::FramePage read_frames(Database& db, const std::string& run_id, std::int64_t from,
                               std::size_t max_bytes) {
  Queries::FramePage page{.first = from, .frames = {}};
  std::size_t bytes = 0;
  for (Query query(db, select_from, run_id, from); query.next();) {
    std::int64_t number = query.integer();
    const std::int64_t end = number + query.integer();
    if (end <= from) continue;
    FrameReader reader(query.view());
    for (FrameView view; reader.next(view); ++number) {
      if (number < from) continue;
      bytes += view.event.size() + view.data.size();
      if (!page.frames.empty() && bytes > max_bytes) return page;
      page.frames.push_back(view.frame());
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
    std::optional<Frame> found;
    FrameReader reader(query.view());
    for (FrameView view; reader.next(view);)
      if (view.event == event) found = view.frame();
    if (found) return found;
  }
  return std::nullopt;
}

}  // namespace dg::store::sqlite
