// Numbers of variable length: seven bits a byte, the lowest first; the high bit says that more follow.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace dg::store {

void put_varint(std::string& out, std::uint64_t value);
// Takes one off the front of `bytes`; false when they hold no whole number.
bool take_varint(std::string_view& bytes, std::uint64_t& out);
// Appends the length of `bytes` and `bytes`, and takes such a text off the front.
void put_sized(std::string& out, std::string_view bytes);
bool take_sized(std::string_view& bytes, std::string_view& out);

}  // namespace dg::store
