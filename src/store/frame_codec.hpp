// How frames are kept in a segment: one record after the other, each with its lengths in front.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "store/delta/document.hpp"
#include "store/records.hpp"

namespace dg::store {

// Appends a record. `offset` is the frame's place in the thread's log counted from the segment's
// first one, since a merged segment has gaps where others wrote in between.
void encode_frame(std::string& out, const Frame& frame, std::int64_t offset);

// A record of a segment; it points into the segment's bytes.
struct FrameView {
  std::string_view event;
  std::string_view data;
  std::int64_t offset = 0;

  Frame frame() const { return {std::string(event), std::string(data)}; }
};

// Goes through the records of a segment in order.
class FrameReader {
 public:
  explicit FrameReader(std::string_view bytes) : rest_(bytes) {}
  // False at the end, and at bytes that are no whole record.
  bool next(FrameView& out);
  // Whether all bytes were whole records.
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

// What was cut out of frames, by their place in the segment.
using FrameCuts = std::map<std::uint64_t, std::vector<delta::Cut>>;
std::string encode_cuts(const FrameCuts& cuts);
FrameCuts decode_cuts(std::string_view bytes);

// Segments of a run that follow one another, as one.
class MergedSegment {
 public:
  // Adds the one that comes next. False where it is damaged; then nothing is to be merged.
  bool add(std::int64_t first_seq, std::int64_t count, std::string_view data, std::string_view cuts);

  std::int64_t first_seq() const { return first_seq_; }
  std::int64_t count() const { return count_; }
  const std::string& data() const { return data_; }
  std::string cuts() const { return encode_cuts(cuts_); }

 private:
  std::int64_t first_seq_ = 0;
  std::int64_t count_ = 0;
  std::string data_;
  FrameCuts cuts_;
};

}  // namespace dg::store
