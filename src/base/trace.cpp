#include "base/trace.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dg {
namespace {

constexpr std::size_t tracestate_bytes_max = 512;
constexpr std::size_t tracestate_members_max = 32;

// Digits in lower case only, as the specification demands.
std::optional<std::uint8_t> digit_of(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  return std::nullopt;
}

template <std::size_t Size>
std::optional<std::array<std::uint8_t, Size>> read_hex(std::string_view text) {
  std::array<std::uint8_t, Size> out{};
  if (text.size() != 2 * Size) return std::nullopt;
  for (std::size_t i = 0; i < Size; ++i) {
    const auto high = digit_of(text[2 * i]);
    const auto low = digit_of(text[2 * i + 1]);
    if (!high || !low) return std::nullopt;
    out[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return out;
}

template <std::size_t Size>
bool is_zero(const std::array<std::uint8_t, Size>& id) {
  return std::ranges::all_of(id, [](std::uint8_t byte) { return byte == 0; });
}

template <std::size_t Size>
std::string hex(const std::array<std::uint8_t, Size>& id) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * Size);
  for (const auto byte : id) {
    out.push_back(digits[byte >> 4]);
    out.push_back(digits[byte & 15]);
  }
  return out;
}

template <std::size_t Size>
void fill(std::array<std::uint8_t, Size>& id, std::size_t at, std::uint64_t bits) {
  for (std::size_t i = 0; i < 8; ++i) id[at + i] = static_cast<std::uint8_t>(bits >> (8 * i));
}

// The finaliser of splitmix64: every bit of the result depends on every bit of the argument.
std::uint64_t mixed(std::uint64_t bits) {
  bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9U;
  bits = (bits ^ bits >> 27) * 0x94d049bb133111ebU;
  return bits ^ bits >> 31;
}

bool is_member_key(std::string_view key) {
  const auto sane = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || std::string_view("_-*/@").contains(c);
  };
  return !key.empty() && key.size() <= 256 &&
         (digit_of(key.front()) || (key.front() >= 'a' && key.front() <= 'z')) &&
         std::ranges::all_of(key, sane) && std::ranges::count(key, '@') <= 1;
}

bool is_member_value(std::string_view value) {
  const auto sane = [](char c) { return c >= 0x20 && c <= 0x7e && c != '='; };
  return !value.empty() && value.size() <= 256 && value.back() != ' ' && std::ranges::all_of(value, sane);
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

bool is_tracestate(std::string_view text) {
  if (text.size() > tracestate_bytes_max) return false;
  std::size_t members = 0;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    const auto member = trimmed(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (member.empty()) continue;
    const auto equals = member.find('=');
    if (equals == std::string_view::npos || ++members > tracestate_members_max) return false;
    if (!is_member_key(member.substr(0, equals)) || !is_member_value(member.substr(equals + 1))) return false;
  }
  return members > 0;
}

}  // namespace

std::string to_hex(const TraceId& id) {
  return hex(id);
}
std::string to_hex(const SpanId& id) {
  return hex(id);
}

// version "-" trace-id "-" parent-id "-" trace-flags. A later version may have more behind another dash; what
// it has in front is read as of this one.
std::optional<TraceContext> read_trace_context(std::string_view traceparent, std::string_view tracestate) {
  constexpr std::size_t length = 55;
  traceparent = trimmed(traceparent);
  if (traceparent.size() < length || traceparent[2] != '-' || traceparent[35] != '-' ||
      traceparent[52] != '-')
    return std::nullopt;
  const auto version = read_hex<1>(traceparent.substr(0, 2));
  const auto trace_id = read_hex<16>(traceparent.substr(3, 32));
  const auto span_id = read_hex<8>(traceparent.substr(36, 16));
  const auto flags = read_hex<1>(traceparent.substr(53, 2));
  if (!version || !trace_id || !span_id || !flags || (*version)[0] == 0xff) return std::nullopt;
  if (is_zero(*trace_id) || is_zero(*span_id)) return std::nullopt;
  if (traceparent.size() > length && ((*version)[0] == 0 || traceparent[length] != '-')) return std::nullopt;
  return TraceContext{*trace_id, *span_id, ((*flags)[0] & 1) != 0,
                      is_tracestate(tracestate) ? std::string(tracestate) : ""};
}

std::string to_traceparent(const TraceContext& context) {
  return fmt::format("00-{}-{}-{}", hex(context.trace_id), hex(context.span_id),
                     context.sampled ? "01" : "00");
}

TraceId make_trace_id(Random& random) {
  TraceId id{};
  fill(id, 0, random.next());
  fill(id, 8, random.next());
  if (is_zero(id)) id.back() = 1;
  return id;
}

SpanId make_span_id(Random& random) {
  SpanId id{};
  fill(id, 0, random.next());
  if (is_zero(id)) id.back() = 1;
  return id;
}

SpanId attempt_span_id(std::string_view run_id, std::int64_t attempt) {
  std::uint64_t bits = static_cast<std::uint64_t>(attempt);
  for (const char c : run_id) bits = mixed(bits ^ static_cast<unsigned char>(c));
  SpanId id{};
  fill(id, 0, bits);
  if (is_zero(id)) id.back() = 1;
  return id;
}

}  // namespace dg
