// Reading requests: bodies and queries whose every mistake is named at once.
#pragma once

#include <array>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "net/http.hpp"

namespace dg::api {

// A JSON body that is being read field by field. Getters give a default for what is absent or null
// and note what is wrong; status() then tells of all of it. It refers to the request's body.
class Body {
 public:
  // Validates the body; an empty one counts as {}. bad_request or invalid_argument as json::validate.
  static Result<Body> read(const net::Request& request);
  // Reads a validated object inside a body, whose places begin with `place`.
  explicit Body(json::View object, std::string place = "") : object_(object), place_(std::move(place)) {}

  json::View view() const { return object_; }
  bool has(std::string_view name) const { return object_.find(name).has_value(); }

  std::string text(std::string_view name, std::string otherwise = "");
  std::optional<std::string> optional_text(std::string_view name);
  std::string required_text(std::string_view name);
  std::optional<std::string> uuid(std::string_view name);
  bool boolean(std::string_view name, bool otherwise);
  std::int64_t integer(std::string_view name, std::int64_t otherwise, std::int64_t least, std::int64_t most);
  double number(std::string_view name, double otherwise, double least);
  // The text of an object; "{}" when absent.
  std::string object(std::string_view name, std::string otherwise = "{}");
  // The text of any value.
  std::string any(std::string_view name, std::string otherwise = "null");
  std::vector<std::string> texts(std::string_view name);  // a list of strings, or one string
  // One of `allowed`.
  std::string choice(std::string_view name, std::string otherwise,
                     std::initializer_list<std::string_view> allowed);
  // Notes that the field cannot be used here, when it is present and not null.
  void unsupported(std::string_view name, std::string_view instead);
  void wrong(std::string_view name, std::string message);

  Status status() const;
  void take_errors(const Body& inner);

 private:
  json::View object_;
  std::string place_;
  std::vector<FieldError> errors_;
};

// Query values as both SDKs encode them: JavaScript sends JSON (`["a","b"]`, `true`), Python repeats names.
std::vector<std::string> query_list(const net::Request& request, std::string_view name);
bool query_flag(const net::Request& request, std::string_view name, bool otherwise);
Result<std::int64_t> query_integer(const net::Request& request, std::string_view name, std::int64_t otherwise,
                                   std::int64_t least, std::int64_t most);

// The path's {name} as a UUID; invalid_argument otherwise.
Result<std::string> path_uuid(const net::Request& request, std::string_view name);

net::Response json_response(std::string body, int status = 200);
net::Response empty_response(int status);

}  // namespace dg::api
