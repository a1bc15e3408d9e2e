#include "base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <map>

namespace dg::json {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::size_t skip_spaces(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

// `at` is at the opening quote; returns the place behind the closing one. Strings may be megabytes long.
std::size_t skip_string(std::string_view text, std::size_t at) {
  const std::size_t start = at + 1;
  for (at = text.find('"', start);; at = text.find('"', at + 1)) {
    std::size_t escapes = 0;
    while (at - escapes > start && text[at - escapes - 1] == '\\') ++escapes;
    if (escapes % 2 == 0) return at + 1;
  }
}

// `at` is at the first character of a value; returns the place behind its last.
std::size_t skip_value(std::string_view text, std::size_t at) {
  const char first = text[at];
  if (first == '"') return skip_string(text, at);
  if (first != '{' && first != '[') {
    while (at < text.size() && text[at] != ',' && text[at] != '}' && text[at] != ']' && !is_space(text[at]))
      ++at;
    return at;
  }
  std::size_t depth = 0;
  while (true) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return at + 1;
    ++at;
  }
}

unsigned hex4(std::string_view digits) {
  unsigned value = 0;
  std::from_chars(digits.data(), digits.data() + 4, value, 16);
  return value;
}

void append_utf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xc0 | code >> 6));
    out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else if (code < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | code >> 12));
    out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else {
    out.push_back(static_cast<char>(0xf0 | code >> 18));
    out.push_back(static_cast<char>(0x80 | ((code >> 12) & 0x3f)));
    out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
  }
}

// `body` is what stands between the quotes. A surrogate without its partner becomes U+FFFD.
std::string decode_string(std::string_view body) {
  std::string out;
  out.reserve(body.size());
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\\') {
      out.push_back(body[i]);
      continue;
    }
    const char c = body[++i];
    if (c != 'u') {
      constexpr std::string_view from = "bfnrt";
      constexpr std::string_view to = "\b\f\n\r\t";
      const auto place = from.find(c);
      out.push_back(place == std::string_view::npos ? c : to[place]);
      continue;
    }
    unsigned code = hex4(body.substr(i + 1, 4));
    i += 4;
    const bool high = code >= 0xd800 && code < 0xdc00;
    if (high && i + 6 < body.size() && body.substr(i + 1, 2) == "\\u") {
      const unsigned low = hex4(body.substr(i + 3, 4));
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        i += 6;
      }
    }
    append_utf8(out, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
  }
  return out;
}

bool is_plain(char c) {
  return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
}

void append_escape(std::string& out, char c) {
  constexpr std::string_view from = "\"\\\n\r\t";
  constexpr std::string_view to = "\"\\nrt";
  if (const auto place = from.find(c); place != std::string_view::npos) {
    out.push_back('\\');
    out.push_back(to[place]);
  } else {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out.push_back('"');
  for (auto rest = text; !rest.empty();) {
    const auto end = static_cast<std::size_t>(std::ranges::find_if_not(rest, is_plain) - rest.begin());
    out += rest.substr(0, end);
    if (end < rest.size()) append_escape(out, rest[end]);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  out.push_back('"');
}

// The members of an object that count: of those with one name the last.
std::map<std::string, View> by_name(View object) {
  std::map<std::string, View> out;
  for (auto& member : object.members()) out[std::move(member.key)] = member.value;
  return out;
}

bool equal_members(View a, View b) {
  return std::ranges::equal(by_name(a), by_name(b), [](const auto& left, const auto& right) {
    return left.first == right.first && equal(left.second, right.second);
  });
}

bool contains_within(View whole, View part);

bool contains_members(View whole, View part) {
  constexpr std::size_t few = 8;  // for which looking through the text is cheaper than a table
  const auto wanted = by_name(part);
  const auto table = wanted.size() > few ? by_name(whole) : std::map<std::string, View>();
  const auto find = [&](const std::string& name) -> std::optional<View> {
    if (wanted.size() <= few) return whole.find(name);
    const auto found = table.find(name);
    return found == table.end() ? std::nullopt : std::optional(found->second);
  };
  return std::ranges::all_of(wanted, [&](const auto& member) {
    const auto other = find(member.first);
    return other && contains_within(*other, member.second);
  });
}

bool contains_elements(View whole, View part) {
  const auto elements = whole.elements();
  return std::ranges::all_of(part.elements(), [&](View wanted) {
    return std::ranges::any_of(elements, [&](View e) { return contains_within(e, wanted); });
  });
}

bool contains_within(View whole, View part) {
  if (whole.is_object() && part.is_object()) return contains_members(whole, part);
  if (whole.is_array() && part.is_array()) return contains_elements(whole, part);
  return equal(whole, part);
}

bool equal_numbers(View a, View b) {
  if (a.raw() == b.raw()) return true;
  const auto left = a.integer();
  const auto right = b.integer();
  if (left && right) return *left == *right;
  return a.number() == b.number();
}

}  // namespace

View::View(std::string_view text) : text_(trim(text)) {}

Kind View::kind() const {
  switch (text_.front()) {
    case '{':
      return Kind::object;
    case '[':
      return Kind::array;
    case '"':
      return Kind::string;
    case 't':
    case 'f':
      return Kind::boolean;
    case 'n':
      return Kind::null;
    default:
      return Kind::number;
  }
}

std::string View::string() const {
  if (!is_string()) return {};
  const auto body = text_.substr(1, text_.size() - 2);
  return body.find('\\') == std::string_view::npos ? std::string(body) : decode_string(body);
}

std::optional<bool> View::boolean() const {
  if (!is_bool()) return std::nullopt;
  return text_.front() == 't';
}

std::optional<std::int64_t> View::integer() const {
  if (!is_number()) return std::nullopt;
  std::int64_t value = 0;
  const auto* const end = text_.data() + text_.size();
  const auto parsed = std::from_chars(text_.data(), end, value);
  if (parsed.ec == std::errc{} && parsed.ptr == end) return value;
  const auto real = number();
  if (!real || std::trunc(*real) != *real || std::fabs(*real) > 9007199254740992.0) return std::nullopt;
  return static_cast<std::int64_t>(*real);
}

std::optional<double> View::number() const {
  if (!is_number()) return std::nullopt;
  double value = 0;
  const auto parsed = std::from_chars(text_.data(), text_.data() + text_.size(), value);
  // That does not tell too large from too small.
  if (parsed.ec == std::errc::result_out_of_range) return std::strtod(std::string(text_).c_str(), nullptr);
  return value;
}

std::optional<View> View::find(std::string_view key) const {
  if (!is_object()) return std::nullopt;
  std::optional<View> found;
  std::size_t at = skip_spaces(text_, 1);
  while (text_[at] == '"') {
    const std::size_t key_end = skip_string(text_, at);
    const auto name = text_.substr(at + 1, key_end - at - 2);
    const bool same = name.find('\\') == std::string_view::npos ? name == key : decode_string(name) == key;
    at = skip_spaces(text_, skip_spaces(text_, key_end) + 1);
    const std::size_t end = skip_value(text_, at);
    if (same) found = View(text_.substr(at, end - at));
    at = skip_spaces(text_, end);
    if (text_[at] == ',') at = skip_spaces(text_, at + 1);
  }
  return found;
}

View View::operator[](std::string_view key) const {
  return find(key).value_or(View());
}

std::vector<View> View::elements() const {
  std::vector<View> out;
  if (!is_array()) return out;
  std::size_t at = skip_spaces(text_, 1);
  while (text_[at] != ']') {
    const std::size_t end = skip_value(text_, at);
    out.emplace_back(text_.substr(at, end - at));
    at = skip_spaces(text_, end);
    if (text_[at] == ',') at = skip_spaces(text_, at + 1);
  }
  return out;
}

std::vector<Member> View::members() const {
  std::vector<Member> out;
  if (!is_object()) return out;
  std::size_t at = skip_spaces(text_, 1);
  while (text_[at] == '"') {
    const std::size_t key_end = skip_string(text_, at);
    Member member{View(text_.substr(at, key_end - at)).string(), View()};
    at = skip_spaces(text_, skip_spaces(text_, key_end) + 1);
    const std::size_t end = skip_value(text_, at);
    member.value = View(text_.substr(at, end - at));
    out.push_back(std::move(member));
    at = skip_spaces(text_, end);
    if (text_[at] == ',') at = skip_spaces(text_, at + 1);
  }
  return out;
}

void Writer::separate() {
  if (need_comma_) out_.push_back(',');
  need_comma_ = true;
}

Writer& Writer::begin_object() {
  separate();
  out_.push_back('{');
  need_comma_ = false;
  return *this;
}
Writer& Writer::end_object() {
  out_.push_back('}');
  need_comma_ = true;
  return *this;
}
Writer& Writer::begin_array() {
  separate();
  out_.push_back('[');
  need_comma_ = false;
  return *this;
}
Writer& Writer::end_array() {
  out_.push_back(']');
  need_comma_ = true;
  return *this;
}
Writer& Writer::key(std::string_view name) {
  separate();
  append_quoted(out_, name);
  out_.push_back(':');
  need_comma_ = false;
  return *this;
}
Writer& Writer::string(std::string_view value) {
  separate();
  append_quoted(out_, value);
  return *this;
}
Writer& Writer::integer(std::int64_t value) {
  return raw(fmt::format_int(value).c_str());
}
Writer& Writer::number(double value) {
  return std::isfinite(value) ? raw(fmt::format("{}", value)) : null();
}
Writer& Writer::boolean(bool value) {
  return raw(value ? "true" : "false");
}
Writer& Writer::null() {
  return raw("null");
}
Writer& Writer::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}
Writer& Writer::optional_string(const std::optional<std::string>& value) {
  return value ? string(*value) : null();
}

std::string quote(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

bool equal(View a, View b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::null:
      return true;
    case Kind::boolean:
      return a.boolean() == b.boolean();
    case Kind::number:
      return equal_numbers(a, b);
    case Kind::string:
      return a.string() == b.string();
    case Kind::array: {
      const auto left = a.elements();
      const auto right = b.elements();
      return std::ranges::equal(left, right, [](View x, View y) { return equal(x, y); });
    }
    case Kind::object:
      return equal_members(a, b);
  }
  return false;
}

bool contains(View whole, View part) {
  const bool scalar = !part.is_object() && !part.is_array();
  if (whole.is_array() && scalar)
    return std::ranges::any_of(whole.elements(), [&](View e) { return equal(e, part); });
  return contains_within(whole, part);
}

std::optional<int> compare(View a, View b) {
  if (a.is_number() && b.is_number()) {
    const auto left = a.integer();
    const auto right = b.integer();
    if (left && right) return *left < *right ? -1 : *left > *right ? 1 : 0;
    const double x = *a.number();
    const double y = *b.number();
    return x < y ? -1 : x > y ? 1 : 0;
  }
  if (a.is_string() && b.is_string()) {
    const int order = a.string().compare(b.string());
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  return std::nullopt;
}

std::string merge(std::initializer_list<View> parts) {
  std::vector<std::vector<Member>> members;
  for (const auto& part : parts) members.push_back(part.members());
  std::vector<std::pair<std::string_view, std::size_t>> places;  // of each name, the parts that have it
  for (std::size_t part = 0; part < members.size(); ++part)
    for (const auto& member : members[part]) places.emplace_back(member.key, part);
  std::ranges::sort(places);
  Writer out;
  out.begin_object();
  for (std::size_t part = 0; part < members.size(); ++part)
    for (const auto& [key, value] : members[part]) {
      const auto later = std::ranges::lower_bound(places, std::pair(std::string_view(key), part + 1));
      if (later == places.end() || later->first != key) out.key(key).raw(value.raw());
    }
  out.end_object();
  return out.take();
}

}  // namespace dg::json
