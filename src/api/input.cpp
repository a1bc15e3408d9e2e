#include "api/input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/env.hpp"

namespace dg::api {

Result<Body> Body::read(const net::Request& request) {
  static constexpr std::string_view nothing = "{}";
  const bool blank = request.body.find_first_not_of(" \t\r\n") == std::string::npos;
  const std::string_view text = blank ? nothing : std::string_view(request.body);
  if (auto valid = json::validate(text, json::client_rules); !valid) return fail(valid.error());
  const json::View view(text);
  if (!view.is_object()) return fail(Error{Errc::invalid_argument, "the body must be a JSON object", {}});
  return Body(view);
}

void Body::wrong(std::string_view name, std::string message) {
  errors_.push_back(
      {place_.empty() ? std::string(name) : place_ + "." + std::string(name), std::move(message)});
}

void Body::take_errors(const Body& inner) {
  errors_.insert(errors_.end(), inner.errors_.begin(), inner.errors_.end());
}

Status Body::status() const {
  if (errors_.empty()) return {};
  std::string detail;
  for (const auto& error : errors_)
    detail += fmt::format("{}{}: {}", detail.empty() ? "" : "; ", error.place, error.message);
  return fail(Error{Errc::invalid_argument, detail, errors_});
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
  wrong(name, fmt::format("must be an integer from {} to {}", least, most));
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
  if (value.is_null()) return {};
  if (value.is_string()) return {value.string()};
  std::vector<std::string> out;
  for (const auto element : value.elements()) {
    if (!element.is_string()) {
      wrong(name, "must hold strings only");
      return {};
    }
    out.push_back(element.string());
  }
  if (!value.is_array()) wrong(name, "must be a string or a list of strings");
  return out;
}

std::string Body::choice(std::string_view name, std::string otherwise,
                         std::initializer_list<std::string_view> allowed) {
  auto value = text(name, otherwise);
  if (std::ranges::find(allowed, value) != allowed.end()) return value;
  std::string list;
  for (const auto option : allowed) list += fmt::format("{}{}", list.empty() ? "" : ", ", option);
  wrong(name, "must be one of " + list);
  return otherwise;
}

void Body::unsupported(std::string_view name, std::string_view instead) {
  if (!object_[name].is_null()) wrong(name, "is not available in this version" + std::string(instead));
}

std::vector<std::string> query_list(const net::Request& request, std::string_view name) {
  std::vector<std::string> out;
  for (const auto& [key, value] : request.query) {
    if (key != name && key != std::string(name) + "[]") continue;
    if (value.empty()) continue;  // how the Python client says "none"
    if (value.starts_with('[') && json::validate(value, json::client_rules)) {
      for (const auto element : json::View(value).elements()) out.push_back(element.string());
    } else if (value.starts_with('"') && json::validate(value, json::client_rules)) {
      out.push_back(json::View(value).string());
    } else {
      out.push_back(value);
    }
  }
  return out;
}

bool query_flag(const net::Request& request, std::string_view name, bool otherwise) {
  const auto value = request.query_value(name);
  if (!value) return otherwise;
  return *value == "true" || *value == "1" || *value == "True";
}

Result<std::int64_t> query_integer(const net::Request& request, std::string_view name, std::int64_t otherwise,
                                   std::int64_t least, std::int64_t most) {
  const auto value = request.query_value(name);
  if (!value || value->empty()) return otherwise;
  std::int64_t number = 0;
  const auto parsed = std::from_chars(value->data(), value->data() + value->size(), number);
  if (parsed.ec == std::errc{} && parsed.ptr == value->data() + value->size() && number >= least &&
      number <= most)
    return number;
  const auto message = fmt::format("must be an integer from {} to {}", least, most);
  return fail(
      Error{Errc::invalid_argument, std::string(name) + ": " + message, {{std::string(name), message}}});
}

Result<std::string> path_uuid(const net::Request& request, std::string_view name) {
  const auto& value = request.param(name);
  if (is_uuid(value)) return value;
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
