#include "store/sqlite/frame_codec.hpp"

namespace dg::store::sqlite {
namespace {

// Seven bits a byte, the lowest first; the high bit says that more follow.
void put_number(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

}  // namespace

void encode_frame(std::string& out, const Frame& frame, std::int64_t offset) {
  put_number(out, static_cast<std::uint64_t>(offset));
  put_number(out, frame.event.size());
  put_number(out, frame.data.size());
  out += frame.event;
  out += frame.data;
}

bool FrameReader::take_number(std::uint64_t& out) {
  out = 0;
  for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    out |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool FrameReader::take_bytes(std::uint64_t size, std::string_view& out) {
  if (size > rest_.size()) return false;
  out = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

bool FrameReader::next(FrameView& out) {
  std::uint64_t offset = 0;
  std::uint64_t event_size = 0;
  std::uint64_t data_size = 0;
  if (!take_number(offset) || !take_number(event_size) || !take_number(data_size)) return false;
  out.offset = static_cast<std::int64_t>(offset);
  return take_bytes(event_size, out.event) && take_bytes(data_size, out.data);
}

}  // namespace dg::store::sqlite
