// The bytes of series' logs that a pack's recipes name.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "store/pack/rows.hpp"
#include "store/spans.hpp"

namespace dg::store::pack {

// By series. One without spans is named by values that consist of bytes of their own.
using Needs = std::map<std::int64_t, Spans>;

Needs needs_of(const Contents& contents);
// As they are stored, and back, added to `out`; false when the bytes hold no whole list.
std::string encode_needs(const Needs& needs);
bool take_needs(std::string_view bytes, Needs& out);

}  // namespace dg::store::pack
