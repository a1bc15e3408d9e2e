#include "api/input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ranges>

#include "base/env.hpp"
#include "net/uri.hpp"

namespace dg::api {
namespace {

std::string joined(std::initializer_list<std::string_view> options) {
  std::string out;
  for (const auto option : options) {
    if (option.empty()) continue;
    if (!out.empty()) out += ", ";
    out += option;
  }
  return out;
}

bool is_one_of(std::string_view value, std::initializer_list<std::string_view> options) {
  return std::ranges::find(options, value) != options.end();
}

std::string integer_rule(std::int64_t least, std::int64_t most) {
  if (most == INT64_MAX) return fmt::format("must be an integer of at least {}", least);
  return fmt::format("must be an integer from {} to {}", least, most);
}

// Notes each of `values` that is no name out of `allowed`.
void check_names(Mistakes& mistakes, std::string_view name, const std::vector<std::string>& values,
                 std::initializer_list<std::string_view> allowed) {
  for (const auto& value : values)
    if (!is_one_of(value, allowed))
      mistakes.wrong(name, fmt::format("\"{}\" is none of {}", value, joined(allowed)));
}

std::vector<std::string> strings_of(json::View array) {
  std::vector<std::string> out;
  for (const auto element : array.elements())
    out.push_back(element.is_string() ? element.string() : std::string(element.raw()));
  return out;
}

// A word for a flag, as Python's servers read it.
std::optional<bool> flag_from(std::string_view word) {
  const auto is = [&](std::string_view other) { return net::equal_ignoring_case(word, other); };
  constexpr std::array yes = {"true", "1", "yes", "on", "t", "y"};
  constexpr std::array no = {"false", "0", "no", "off", "f", "n"};
  if (std::ranges::any_of(yes, is)) return true;
  if (std::ranges::any_of(no, is)) return false;
  return std::nullopt;
}

}  // namespace

std::string canonical_id(std::string text) {
  if (!is_uuid(text)) return text;
  for (auto& c : text)
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::string Mistakes::place_of(std::string_view name) const {
  return place_.empty() ? std::string(name) : place_ + "." + std::string(name);
}

void Mistakes::wrong(std::string_view name, std::string message) {
  errors_.push_back({place_of(name), std::move(message)});
}

bool Mistakes::is_wrong(std::string_view name) const {
  return std::ranges::find(errors_, place_of(name), &FieldError::place) != errors_.end();
}

void Mistakes::take_errors(const Mistakes& inner) {
  errors_.insert(errors_.end(), inner.errors_.begin(), inner.errors_.end());
}

Status Mistakes::status() const {
  if (errors_.empty()) return {};
  std::string detail;
  for (const auto& error : errors_)
    detail += fmt::format("{}{}: {}", detail.empty() ? "" : "; ", error.place, error.message);
  return fail(Error{Errc::invalid_argument, detail, errors_});
}

Result<Body> Body::read(const net::Request& request) {
  static constexpr std::string_view nothing = "{}";
  const bool blank = request.body.find_first_not_of(" \t\r\n") == std::string::npos;
  const std::string_view text = blank ? nothing : std::string_view(request.body);
  if (auto valid = json::validate(text, json::client_rules); !valid) return fail(valid.error());
  const json::View view(text);
  if (!view.is_object()) return fail(Error{Errc::invalid_argument, "the body must be a JSON object", {}});
  return Body(view);
}

std::optional<std::string> Body::optional_text(std::string_view name) {
  const auto value = object_[name];
  if (value.is_null()) return std::nullopt;
  if (value.is_string()) return value.string();
  wrong(name, "must be a string");
  return std::nullopt;
}

std::string Body::text(std::string_view name, std::string otherwise) {
  return optional_text(name).value_or(std::move(otherwise));
}

std::string Body::required_text(std::string_view name) {
  auto value = optional_text(name);
  if (!value && object_[name].is_null()) wrong(name, "is required");
  return value.value_or("");
}

std::optional<std::string> Body::uuid(std::string_view name) {
  auto value = optional_text(name);
  if (value && !is_uuid(*value)) {
    wrong(name, "must be a UUID");
    return std::nullopt;
  }
  if (value) value = canonical_id(std::move(*value));
  return value;
}

bool Body::boolean(std::string_view name, bool otherwise) {
  const auto value = object_[name];
  if (value.is_null()) return otherwise;
  if (const auto flag = value.boolean()) return *flag;
  // Some clients send booleans as text.
  if (value.is_string() && (value.string() == "true" || value.string() == "false"))
    return value.string() == "true";
  wrong(name, "must be true or false");
  return otherwise;
}

std::int64_t Body::integer(std::string_view name, std::int64_t otherwise, std::int64_t least,
                           std::int64_t most) {
  const auto value = object_[name];
  if (value.is_null()) return otherwise;
  const auto number = value.integer();
  if (number && *number >= least && *number <= most) return *number;
  wrong(name, integer_rule(least, most));
  return otherwise;
}

double Body::number(std::string_view name, double otherwise, double least) {
  const auto value = object_[name];
  if (value.is_null()) return otherwise;
  const auto number = value.number();
  if (number && *number >= least) return *number;
  wrong(name, fmt::format("must be a number of at least {}", least));
  return otherwise;
}

std::string Body::object(std::string_view name, std::string otherwise) {
  const auto value = object_[name];
  if (value.is_null()) return otherwise;
  if (value.is_object()) return std::string(value.raw());
  wrong(name, "must be an object");
  return otherwise;
}

std::string Body::any(std::string_view name, std::string otherwise) {
  const auto value = object_.find(name);
  return value ? std::string(value->raw()) : otherwise;
}

std::vector<std::string> Body::texts(std::string_view name) {
  const auto value = object_[name];
  if (value.is_string()) return {value.string()};
  if (value.is_null() || value.is_array()) return list(name);
  wrong(name, "must be a string or a list of strings");
  return {};
}

std::vector<std::string> Body::list(std::string_view name) {
  const auto value = object_[name];
  if (value.is_null()) return {};
  if (!value.is_array()) wrong(name, "must be a list of strings");
  const auto elements = value.elements();
  if (std::ranges::all_of(elements, &json::View::is_string)) return strings_of(value);
  wrong(name, "must hold strings only");
  return {};
}

std::vector<std::string> Body::uuids(std::string_view name) {
  auto values = list(name);
  for (auto& value : values) {
    if (!is_uuid(value)) wrong(name, fmt::format("\"{}\" is no UUID", value));
    value = canonical_id(std::move(value));
  }
  return values;
}

std::vector<std::string> Body::names(std::string_view name, std::initializer_list<std::string_view> allowed) {
  auto values = list(name);
  check_names(*this, name, values, allowed);
  return values;
}

std::string Body::choice(std::string_view name, std::string otherwise,
                         std::initializer_list<std::string_view> allowed) {
  const auto value = optional_text(name);
  if (!value) return otherwise;
  if (is_one_of(*value, allowed)) return *value;
  wrong(name, "must be one of " + joined(allowed));
  return otherwise;
}

void Body::unsupported(std::string_view name, std::string_view instead) {
  if (!object_[name].is_null()) wrong(name, "is not available in this version" + std::string(instead));
}

std::string Query::text(std::string_view name, std::string otherwise) const {
  const auto value = request_.query_value(name);
  return value && !value->empty() ? std::string(*value) : otherwise;
}

std::vector<std::string> Query::list(std::string_view name) const {
  std::vector<std::string> out;
  for (const auto& [key, value] : request_.query) {
    if (key != name && key != std::string(name) + "[]") continue;
    if (value.empty()) continue;  // how the Python client says "none"
    if (value.starts_with('[') && json::validate(value, json::client_rules)) {
      std::ranges::move(strings_of(json::View(value)), std::back_inserter(out));
    } else if (value.starts_with('"') && json::validate(value, json::client_rules)) {
      out.push_back(json::View(value).string());
    } else {
      out.push_back(value);
    }
  }
  return out;
}

std::vector<std::string> Query::names(std::string_view name,
                                      std::initializer_list<std::string_view> allowed) {
  std::vector<std::string> values;
  for (const auto& value : list(name))
    for (const auto part : std::views::split(value, ','))
      values.emplace_back(std::string_view(part.begin(), part.end()));
  check_names(*this, name, values, allowed);
  return values;
}

bool Query::flag(std::string_view name, bool otherwise, std::string_view rule) {
  const auto word = text(name);
  if (word.empty()) return otherwise;
  const auto flag = flag_from(word);
  if (!flag) wrong(name, std::string(rule));
  return flag.value_or(otherwise);
}

std::int64_t Query::integer(std::string_view name, std::int64_t otherwise, std::int64_t least,
                            std::int64_t most) {
  const auto value = text(name);
  if (value.empty()) return otherwise;
  std::int64_t number = 0;
  const auto* const end = value.data() + value.size();
  const auto parsed = std::from_chars(value.data(), end, number);
  if (parsed.ec == std::errc{} && parsed.ptr == end && number >= least && number <= most) return number;
  wrong(name, integer_rule(least, most));
  return otherwise;
}

std::string Query::choice(std::string_view name, std::string otherwise,
                          std::initializer_list<std::string_view> allowed) {
  auto value = text(name, otherwise);
  if (value == otherwise || is_one_of(value, allowed)) return value;
  wrong(name, "must be one of " + joined(allowed));
  return otherwise;
}

Result<std::string> path_uuid(const net::Request& request, std::string_view name) {
  const auto& value = request.param(name);
  if (is_uuid(value)) return canonical_id(value);
  return fail(Error{Errc::invalid_argument,
                    std::string(name) + ": must be a UUID, not \"" + value + "\"",
                    {{std::string(name), "must be a UUID"}}});
}

net::Response json_response(std::string body, int status) {
  net::Response response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "application/json");
  response.body = std::move(body);
  return response;
}

net::Response empty_response(int status) {
  net::Response response;
  response.status = status;
  return response;
}

}  // namespace dg::api
