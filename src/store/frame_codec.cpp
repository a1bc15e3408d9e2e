#include "store/frame_codec.hpp"

#include "store/delta/varint.hpp"

namespace dg::store {

void encode_frame(std::string& out, const Frame& frame, std::int64_t offset) {
  put_varint(out, static_cast<std::uint64_t>(offset));
  put_varint(out, frame.event.size());
  put_varint(out, frame.data.size());
  out += frame.event;
  out += frame.data;
}

bool FrameReader::next(FrameView& out) {
  std::uint64_t offset = 0;
  std::uint64_t event_size = 0;
  std::uint64_t data_size = 0;
  if (!take_varint(rest_, offset) || !take_varint(rest_, event_size) || !take_varint(rest_, data_size))
    return false;
  if (event_size > rest_.size() || data_size > rest_.size() - event_size) return false;
  out.offset = static_cast<std::int64_t>(offset);
  out.event = rest_.substr(0, event_size);
  out.data = rest_.substr(event_size, data_size);
  rest_.remove_prefix(event_size + data_size);
  return true;
}

std::string encode_cuts(const FrameCuts& cuts) {
  std::string out;
  for (const auto& [place, of_frame] : cuts) {
    put_varint(out, place);
    delta::put_cuts(out, of_frame);
  }
  return out;
}

FrameCuts decode_cuts(std::string_view bytes) {
  FrameCuts cuts;
  std::uint64_t place = 0;
  while (take_varint(bytes, place) && delta::take_cuts(bytes, cuts[place])) {
  }
  return cuts;
}

bool MergedSegment::add(std::int64_t first_seq, std::int64_t count, std::string_view data,
                        std::string_view cuts) {
  if (count_ == 0) first_seq_ = first_seq;
  FrameReader reader(data);
  std::int64_t frames = 0;
  for (FrameView view; reader.next(view); ++frames)
    encode_frame(data_, view.frame(), first_seq + view.offset - first_seq_);
  for (auto& [place, of_frame] : decode_cuts(cuts))
    cuts_[static_cast<std::uint64_t>(count_) + place] = std::move(of_frame);
  count_ += count;
  return reader.at_end() && frames == count;
}

}  // namespace dg::store
