// Validation by two libraries: simdjson reads 3 GB/s but refuses integers beyond 64 bits, which
// Python clients send; those documents alone go through RapidJSON which then sees zeros in the numbers'
// places.
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "base/json.hpp"

namespace dg::json {
namespace {

// Bounds the depth; everything else is the reader's own check.
class DepthCheck : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, DepthCheck> {
 public:
  explicit DepthCheck(std::size_t max_depth) : max_depth_(max_depth) {}
  bool StartObject() { return ++depth_ <= max_depth_; }
  bool EndObject(rapidjson::SizeType) { return --depth_, true; }
  bool StartArray() { return ++depth_ <= max_depth_; }
  bool EndArray(rapidjson::SizeType) { return --depth_, true; }

 private:
  std::size_t max_depth_;
  std::size_t depth_ = 0;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The length of the JSON number that `text` begins with; 0 when it begins with none.
std::size_t number_length(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t start = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at > start;
  };
  if (at < text.size() && text[at] == '-') ++at;
  const bool leading_zero = at < text.size() && text[at] == '0';
  const std::size_t start = at;
  if (!digits() || (leading_zero && at > start + 1)) return 0;
  if (at < text.size() && text[at] == '.' && (++at, !digits())) return 0;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (!digits()) return 0;
  }
  return at;
}

// RapidJSON refuses numbers beyond a double even when it is told to keep them as text. This
// replaces every well-formed number outside strings by zeros of the same length, which are read
// as blanks behind a 0, and tells whether one was beyond a double.
std::string without_numbers(std::string_view text, bool& huge) {
  std::string out(text);
  bool in_string = false;
  for (std::size_t at = 0; at < out.size(); ++at) {
    const char c = out[at];
    if (in_string) {
      if (c == '\\') ++at;
      in_string = c != '"';
      continue;
    }
    if (c == '"') in_string = true;
    if (c != '-' && !is_digit(c)) continue;
    const std::size_t length = number_length(text.substr(at));
    if (length == 0) break;  // the reader will find it
    huge = huge || std::isinf(std::strtod(std::string(text.substr(at, length)).c_str(), nullptr));
    out.replace(at, length, "0" + std::string(length - 1, ' '));
    at += length - 1;
  }
  return out;
}

Status validate_with_rapidjson(std::string_view original, const Rules& rules) {
  // RapidJSON takes a NUL for the end of the text.
  if (const auto nul = original.find('\0'); nul != std::string_view::npos)
    return fail(Errc::bad_request, "not valid JSON at byte " + std::to_string(nul) + ": a NUL");
  bool huge = false;
  const std::string text = without_numbers(original, huge);
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  DepthCheck check(rules.max_depth);
  constexpr unsigned flags = rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag;
  const auto result = reader.Parse<flags>(stream, check);
  if (result.IsError()) {
    if (result.Code() == rapidjson::kParseErrorTermination)
      return fail(Errc::bad_request,
                  "the JSON is nested more than " + std::to_string(rules.max_depth) + " levels deep");
    return fail(Errc::bad_request, "not valid JSON at byte " + std::to_string(result.Offset()) + ": " +
                                       rapidjson::GetParseError_En(result.Code()));
  }
  if (rules.refuse_huge_numbers && huge)
    return fail(Errc::invalid_argument,
                "the JSON holds a number beyond the range of a double; send it as a string");
  return {};
}

// An escape counts only where its backslash is not itself escaped.
bool has_nul_escape(std::string_view text) {
  for (auto at = text.find("\\u0000"); at != std::string_view::npos; at = text.find("\\u0000", at + 1)) {
    std::size_t slashes = 0;
    while (slashes < at && text[at - 1 - slashes] == '\\') ++slashes;
    if (slashes % 2 == 0) return true;
  }
  return false;
}

}  // namespace

Status validate(std::string_view text, const Rules& rules) {
  thread_local simdjson::dom::parser parser;
  if (parser.capacity() < text.size() || parser.max_depth() != rules.max_depth + 1) {
    const auto size = std::max<std::size_t>(text.size(), 64 << 10);
    if (parser.allocate(size, rules.max_depth + 1))
      return fail(Errc::too_large, "the JSON does not fit into memory");
  }
  const auto error = parser.parse(text.data(), text.size()).error();
  switch (error) {
    case simdjson::SUCCESS:
      break;
    case simdjson::DEPTH_ERROR:
      return fail(Errc::bad_request,
                  "the JSON is nested more than " + std::to_string(rules.max_depth) + " levels deep");
    case simdjson::UTF8_ERROR:
      return fail(Errc::bad_request, "the JSON is not valid UTF-8");
    case simdjson::EMPTY:
      return fail(Errc::bad_request, "a JSON document was expected and nothing was sent");
    default: {
      // RapidJSON says where the mistake is, and accepts what only simdjson refuses.
      if (auto status = validate_with_rapidjson(text, rules); !status) return status;
    }
  }
  if (rules.refuse_nul && has_nul_escape(text))
    return fail(Errc::invalid_argument,
                "the JSON holds the character U+0000 (\\u0000), which cannot be stored; leave it out");
  return {};
}

}  // namespace dg::json
