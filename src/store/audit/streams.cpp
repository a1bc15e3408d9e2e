#include "store/audit/streams.hpp"

#include <fmt/format.h>

namespace dg::store::audit {
namespace {

// The frames of one run, segment by segment.
class Stream {
 public:
  Stream(ThreadLog& log, std::string run_id, const Sinks& sinks)
      : log_(log), run_id_(std::move(run_id)), sinks_(sinks) {}

  void take(const StoredSegment& segment) {
    if (segment.first_no != next_no_)
      refuse("stream-gap", segment,
             fmt::format("the frame with number {} comes where {} is due", segment.first_no, next_no_));
    if (!segment.whole || std::ssize(segment.places) != segment.count)
      refuse("segment-broken", segment,
             fmt::format("{} of its {} frames can be read", segment.places.size(), segment.count));
    next_no_ = segment.first_no + segment.count;
    for (const auto place : segment.places) take_place(segment, place);
    sinks_.checked.frames += segment.count;
  }

  bool any() const { return next_no_ > 0; }

 private:
  void take_place(const StoredSegment& segment, std::int64_t place) {
    log_.take_place(place, "a frame", run_id_);
    if (place <= last_place_)
      refuse("stream-order", segment,
             fmt::format("a frame has the place {} of the log, the one before it {}", place, last_place_));
    last_place_ = place;
  }

  void refuse(std::string_view kind, const StoredSegment& segment, std::string message) {
    sinks_.findings.add(
        kind, {{"run", run_id_}, {"thread", log_.id()}, {"segment", std::to_string(segment.first_no)}},
        std::move(message));
  }

  ThreadLog& log_;
  std::string run_id_;
  const Sinks& sinks_;
  std::int64_t next_no_ = 0;
  std::int64_t last_place_ = 0;
};

}  // namespace

bool check_streams(Audit& audit, ThreadLog& log, const Sinks& sinks) {
  bool all = true;
  for (const auto& [run_id, run] : log.runs()) {
    Stream stream(log, run_id, sinks);
    const auto segments = audit.segments(run_id);
    while (const auto* const segment = segments->next()) stream.take(*segment);
    all = all && stream.any();
  }
  return all;
}

}  // namespace dg::store::audit
