// Reading and writing the payloads of events.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/env.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace dg::domain {

// Reads the members of a payload and remembers the first that is not what was written. Getters give an
// empty value for such a one.
class Fields {
 public:
  explicit Fields(json::View in) : in_(in) {}

  std::string text(std::string_view name) { return checked(name, json::Kind::string).string(); }
  std::optional<std::string> optional_text(std::string_view name) const {
    const auto value = in_[name];
    return value.is_string() ? std::optional(value.string()) : std::nullopt;
  }
  std::int64_t number(std::string_view name) {
    const auto value = checked(name, json::Kind::number).integer();
    if (!value) note(name);
    return value.value_or(0);
  }
  // A flag that is written only where it is true.
  bool flag_if_there(std::string_view name) {
    const auto value = in_[name];
    if (!value.is_null() && !value.boolean()) note(name);
    return value.boolean().value_or(false);
  }
  WallTime time(std::string_view name) { return from_micros(number(name)); }
  // The text of an object.
  std::string object(std::string_view name) {
    const auto value = checked(name, json::Kind::object);
    return value.is_object() ? std::string(value.raw()) : "{}";
  }

  void note(std::string_view name) {
    if (wrong_.empty()) wrong_ = name;
  }
  const std::string& wrong() const { return wrong_; }

 private:
  json::View checked(std::string_view name, json::Kind kind) {
    const auto value = in_[name];
    if (value.kind() != kind) note(name);
    return value;
  }

  json::View in_;
  std::string wrong_;
};

// Writes the owner of what an event creates; nobody is not written.
inline void write_owner(json::Writer& out, const std::optional<std::string>& owner) {
  if (owner) out.key("owner").string(*owner);
}

// Reads one event by `read(type, fields)`, which gives nothing for a type that it does not know.
// Errc::internal for such a type, and for a payload that this program did not write.
template <class Event, class Read>
Result<Event> read_payload(std::string_view type, std::string_view payload, Read read) {
  const auto refuse = [&](std::string what) {
    return fail(Errc::internal, "the event " + std::string(type) + " cannot be read: " + std::move(what));
  };
  if (!json::validate(payload, json::worker_rules) || !json::View(payload).is_object())
    return refuse("its payload is no JSON object");
  Fields fields{json::View(payload)};
  std::optional<Event> event = read(type, fields);
  if (!event) return refuse("no event of this kind has that name");
  if (!fields.wrong().empty()) return refuse("its payload has no valid " + fields.wrong());
  return std::move(*event);
}

}  // namespace dg::domain
