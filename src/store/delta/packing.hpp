// Bytes as they are stored: compressed with zstd where that makes them smaller.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dg::store::delta {

// How long the compressor looks for something smaller; unpacking takes the same time.
enum class Effort { quick, thorough };

std::string pack(std::string_view bytes, Effort effort = Effort::quick);
// Nothing when the bytes were not made by `pack`.
std::optional<std::string> unpack(std::string_view packed);

}  // namespace dg::store::delta
