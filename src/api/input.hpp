// Reading requests: bodies and queries whose every mistake is named at once.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "net/http.hpp"

namespace dg::api {

// Ids are compared as text, so those of clients are taken in the form that this server writes: UUIDs in
// lower case. Whatever is no UUID stays as it is.
std::string canonical_id(std::string text);

// What is wrong with a request, gathered while it is read.
class Mistakes {
 public:
  void wrong(std::string_view name, std::string message);
  bool is_wrong(std::string_view name) const;
  void take_errors(const Mistakes& inner);
  // invalid_argument that tells of all of it.
  Status status() const;

 protected:
  explicit Mistakes(std::string place = "") : place_(std::move(place)) {}

 private:
  std::string place_of(std::string_view name) const;

  std::string place_;
  std::vector<FieldError> errors_;
};

// A JSON body that is being read field by field. Getters give a default for what is absent or null
// and note what is wrong. It refers to the request's body.
class Body : public Mistakes {
 public:
  // Validates the body; an empty one counts as {}. bad_request or invalid_argument as json::validate.
  static Result<Body> read(const net::Request& request);
  // Reads a validated object inside a body, whose places begin with `place`.
  explicit Body(json::View object, std::string place = "") : Mistakes(std::move(place)), object_(object) {}

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
  std::vector<std::string> list(std::string_view name);   // a list of strings
  std::vector<std::string> uuids(std::string_view name);  // a list of UUIDs
  // A list of names out of `allowed`.
  std::vector<std::string> names(std::string_view name, std::initializer_list<std::string_view> allowed);
  // One of `allowed`.
  std::string choice(std::string_view name, std::string otherwise,
                     std::initializer_list<std::string_view> allowed);
  // Notes that the field cannot be used here, when it is present and not null.
  void unsupported(std::string_view name, std::string_view instead);

 private:
  json::View object_;
};

// A query that is being read value by value, as both SDKs encode it: JavaScript sends JSON (`["a","b"]`,
// `true`), Python repeats names. An empty value counts as absent.
class Query : public Mistakes {
 public:
  explicit Query(const net::Request& request) : request_(request) {}

  std::string text(std::string_view name, std::string otherwise = "") const;
  std::vector<std::string> list(std::string_view name) const;
  std::vector<std::string> names(std::string_view name, std::initializer_list<std::string_view> allowed);
  // `rule` says what a word that is no flag had to be.
  bool flag(std::string_view name, bool otherwise, std::string_view rule = "must be true or false");
  std::int64_t integer(std::string_view name, std::int64_t otherwise, std::int64_t least, std::int64_t most);
  std::string choice(std::string_view name, std::string otherwise,
                     std::initializer_list<std::string_view> allowed);

 private:
  const net::Request& request_;
};

// The path's {name} as a UUID; invalid_argument otherwise.
Result<std::string> path_uuid(const net::Request& request, std::string_view name);

net::Response json_response(std::string body, int status = 200);
net::Response empty_response(int status);

}  // namespace dg::api
