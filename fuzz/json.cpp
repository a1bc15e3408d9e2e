// JSON: what validate() accepts is what RapidJSON's strict reader accepts, and can be read back, written
// again, compared and merged without a loss. An input is one document, or two with a 0x1e between them.
#include "base/json.hpp"

#include <fmt/format.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <map>
#include <optional>

#include "target.hpp"

namespace dg::fuzz {
namespace {

using json::Kind;
using json::View;

constexpr json::Rules plain_rules{128, false, false};
constexpr json::Rules strict_rules{128, true, true};

using Tree = std::map<std::string, View>;  // the members of an object that count

Tree tree_of(View object) {
  Tree out;
  for (const auto& member : object.members()) out[member.key] = member.value;
  return out;
}

// Whether RapidJSON takes the text; nothing where it cannot tell, since it refuses numbers that no double
// holds, takes a NUL for the end, and knows no limit of depth.
std::optional<bool> accepted_by_rapidjson(std::string_view text) {
  if (text.contains('\0')) return std::nullopt;
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  rapidjson::BaseReaderHandler<> handler;
  constexpr unsigned flags = rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag;
  const auto result = reader.Parse<flags>(stream, handler);
  if (result.Code() == rapidjson::kParseErrorNumberTooBig) return std::nullopt;
  return !result.IsError();
}

bool is_too_deep(std::string_view text) {
  const auto status = json::validate(text, plain_rules);
  return !status && status.error().message.contains("levels deep");
}

std::size_t depth_of(View value) {
  std::size_t deepest = 0;
  for (const auto element : value.elements()) deepest = std::max(deepest, depth_of(element));
  for (const auto& member : value.members()) deepest = std::max(deepest, depth_of(member.value));
  return deepest + (value.is_array() || value.is_object() ? 1 : 0);
}

bool beyond_a_double(View value) {
  if (value.is_number()) return std::isinf(std::strtod(std::string(value.raw()).c_str(), nullptr));
  for (const auto element : value.elements())
    if (beyond_a_double(element)) return true;
  for (const auto& member : value.members())
    if (beyond_a_double(member.value)) return true;
  return false;
}

bool has_nul(View value) {
  if (value.is_string()) return value.string().contains('\0');
  for (const auto element : value.elements())
    if (has_nul(element)) return true;
  for (const auto& member : value.members())
    if (member.key.contains('\0') || has_nul(member.value)) return true;
  return false;
}

void check_acceptance(std::string_view text) {
  const bool accepted = json::validate(text, plain_rules).has_value();
  const auto reference = accepted_by_rapidjson(text);
  if (accepted) {
    expect(reference.value_or(true), "RapidJSON refuses what is accepted", text);
    expect(!text.contains('\0'), "no NUL is JSON", text);
    expect(depth_of(View(text)) <= plain_rules.max_depth, "the depth is bounded", text);
    const bool refused = beyond_a_double(View(text)) || has_nul(View(text));
    expect(json::validate(text, strict_rules).has_value() != refused,
           "the strict rules refuse what they name", text);
  } else {
    expect(!reference.value_or(false) || is_too_deep(text), "RapidJSON accepts what is refused", text);
    expect(!json::validate(text, strict_rules), "strict rules accept what others refuse", text);
  }
}

void rewrite(View value, json::Writer& out) {
  switch (value.kind()) {
    case Kind::null:
      out.null();
      break;
    case Kind::boolean:
      out.boolean(*value.boolean());
      break;
    case Kind::number:
      out.raw(value.raw());
      break;
    case Kind::string:
      out.string(value.string());
      break;
    case Kind::array:
      out.begin_array();
      for (const auto element : value.elements()) rewrite(element, out);
      out.end_array();
      break;
    case Kind::object:
      out.begin_object();
      for (const auto& member : value.members()) out.key(member.key), rewrite(member.value, out);
      out.end_object();
  }
}

std::string rewritten(View value) {
  json::Writer out;
  rewrite(value, out);
  return out.take();
}

void check_round_trip(View value) {
  expect(json::equal(value, value), "a value equals itself", value.raw());
  expect(json::contains(value, value), "a value contains itself", value.raw());
  const auto text = rewritten(value);
  expect(json::validate(text, plain_rules).has_value(), "what is written is JSON", text);
  expect(json::equal(value, View(text)) && json::equal(View(text), value), "what is written reads back",
         text);
  expect(rewritten(View(text)) == text, "writing again changes nothing", text);
  for (const auto& [key, member] : tree_of(value))
    expect(value[key].raw() == member.raw(), "of members with one name the last counts", key);
}

// A document as the sequence of what a reader comes across.
class Trace : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Trace> {
 public:
  bool Null() { return add("null"); }
  bool Bool(bool value) { return add(value ? "true" : "false"); }
  bool RawNumber(const char* digits, rapidjson::SizeType size, bool) {
    return number(std::strtod(std::string(digits, size).c_str(), nullptr));
  }
  bool String(const char* text, rapidjson::SizeType size, bool) { return add(json::quote({text, size})); }
  bool Key(const char* text, rapidjson::SizeType size, bool) { return add(json::quote({text, size}) + ':'); }
  bool StartObject() { return add("{"); }
  bool EndObject(rapidjson::SizeType) { return add("}"); }
  bool StartArray() { return add("["); }
  bool EndArray(rapidjson::SizeType) { return add("]"); }

  void take(View value);
  const std::string& text() const { return text_; }
  bool has_surrogate() const {
    for (auto at = text_.find('\xed'); at != std::string::npos; at = text_.find('\xed', at + 1))
      if (static_cast<unsigned char>(text_[at + 1]) >= 0xa0) return true;
    return false;
  }

 private:
  void take_number(View value);
  bool number(double value) { return add(fmt::format("{:a}", value)); }
  bool add(std::string_view what) {
    text_.append(what).push_back('\n');
    return true;
  }

  std::string text_;
};

void Trace::take_number(View value) {
  const auto raw = value.raw();
  const auto* const end = raw.data() + raw.size();
  std::int64_t written = 0;
  const auto parsed = std::from_chars(raw.data(), end, written);
  const auto integer = value.integer();
  if (parsed.ec == std::errc{} && parsed.ptr == end)
    expect(integer == written, "an integer is what is written", raw);
  if (integer) expect(static_cast<double>(*integer) == value.number(), "an integer is its number", raw);
  number(*value.number());
}

void Trace::take(View value) {
  switch (value.kind()) {
    case Kind::null:
      Null();
      break;
    case Kind::boolean:
      Bool(*value.boolean());
      break;
    case Kind::number:
      take_number(value);
      break;
    case Kind::string:
      add(json::quote(value.string()));
      break;
    case Kind::array:
      StartArray();
      for (const auto element : value.elements()) take(element);
      EndArray(0);
      break;
    case Kind::object:
      StartObject();
      for (const auto& member : value.members()) add(json::quote(member.key) + ':'), take(member.value);
      EndObject(0);
  }
}

void check_against_rapidjson(std::string_view text) {
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  Trace wanted;
  constexpr unsigned flags = rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseIterativeFlag;
  if (reader.Parse<flags>(stream, wanted).IsError()) return;
  if (wanted.has_surrogate()) return;  // which is accepted alone, and has no UTF-8
  Trace got;
  got.take(View(text));
  expect(got.text() == wanted.text(), "values are read as RapidJSON reads them", got.text() + wanted.text());
}

bool is_scalar(View value) {
  return !value.is_object() && !value.is_array();
}

// Containment as PostgreSQL documents it, said as plainly as possible. An array holds a scalar at the top
// level only.
bool holds(View whole, View part, bool top) {
  if (top && whole.is_array() && is_scalar(part)) {
    for (const auto element : whole.elements())
      if (is_scalar(element) && json::equal(element, part)) return true;
    return false;
  }
  if (whole.kind() != part.kind()) return false;
  if (is_scalar(whole)) return json::equal(whole, part);
  if (whole.is_object()) {
    const auto members = tree_of(whole);
    for (const auto& [key, value] : tree_of(part))
      if (!members.contains(key) || !holds(members.at(key), value, false)) return false;
    return true;
  }
  for (const auto wanted : part.elements()) {
    bool found = false;
    for (const auto element : whole.elements()) found = found || holds(element, wanted, false);
    if (!found) return false;
  }
  return true;
}

void check_merge(View base, View patch) {
  const auto merged = json::merge(base, patch);
  expect(json::validate(merged, plain_rules).has_value(), "what is merged is JSON", merged);
  expect(json::merge(View(merged), patch) == merged, "merging again changes nothing", merged);
  auto wanted = tree_of(base);
  for (const auto& [key, value] : tree_of(patch)) wanted[key] = value;
  const auto got = tree_of(View(merged));
  expect(got.size() == wanted.size(), "a merge has the names of both", merged);
  for (const auto& [key, value] : wanted)
    expect(got.contains(key) && got.at(key).raw() == value.raw(), "a merge has the newer values", merged);
}

void check_pair(View a, View b) {
  const bool same = json::equal(a, b);
  expect(same == json::equal(b, a), "equality has no direction", a.raw());
  expect(!same || (json::contains(a, b) && json::contains(b, a)), "equals contain each other", a.raw());
  expect(json::contains(a, b) == holds(a, b, true), "containment is PostgreSQL's", a.raw());
  const auto order = json::compare(a, b);
  const auto back = json::compare(b, a);
  expect(order.has_value() == back.has_value() && order.value_or(0) == -back.value_or(0),
         "an order turns around", a.raw());
  expect(!order || (*order == 0) == same, "what compares as equal is equal", a.raw());
  check_merge(a, b);
}

void check_quote(std::string_view bytes) {
  const auto quoted = json::quote(bytes);
  if (json::validate(quoted, plain_rules))
    expect(View(quoted).string() == bytes, "a quote reads back", bytes);
}

void check(std::string_view input) {
  const auto [first, second] = split(input, '\x1e');
  check_acceptance(first);
  check_quote(first);
  if (!json::validate(first, plain_rules)) return;
  const View a(first);
  check_round_trip(a);
  check_against_rapidjson(first);
  check_pair(a, a);
  if (json::validate(second, plain_rules)) check_pair(a, View(second));
}

const Registration json_target("json", 20000, check);

}  // namespace
}  // namespace dg::fuzz
