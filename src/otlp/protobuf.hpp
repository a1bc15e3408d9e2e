// Writing Protocol Buffers: as much of the format as spans need.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace dg::otlp {

// One message, field after field. A message within is written first and added as a text.
class Message {
 public:
  Message& varint(unsigned field, std::uint64_t value) {
    tag(field, 0);
    return put_varint(value);
  }
  Message& fixed64(unsigned field, std::uint64_t value) { return tag(field, 1).put_fixed(value, 8); }
  Message& fixed32(unsigned field, std::uint32_t value) { return tag(field, 5).put_fixed(value, 4); }
  Message& text(unsigned field, std::string_view value) {
    tag(field, 2).put_varint(value.size());
    out_ += value;
    return *this;
  }
  template <std::size_t Size>
  Message& bytes(unsigned field, const std::array<std::uint8_t, Size>& value) {
    tag(field, 2).put_varint(Size);
    out_.append(value.begin(), value.end());
    return *this;
  }
  std::string take() { return std::move(out_); }

 private:
  Message& tag(unsigned field, unsigned wire_type) { return put_varint(field << 3 | wire_type); }
  Message& put_varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
    out_.push_back(static_cast<char>(value));
    return *this;
  }
  Message& put_fixed(std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i) out_.push_back(static_cast<char>(value >> (8 * i)));
    return *this;
  }

  std::string out_;
};

}  // namespace dg::otlp
