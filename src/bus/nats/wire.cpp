#include "bus/nats/wire.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/env.hpp"

namespace dg::bus::nats {
namespace {

constexpr std::size_t longest_token = 64;
// Of a payload: its form, then sender, message, index, count and the id's length as little-endian numbers.
constexpr char form = 1;
constexpr std::size_t head_size = 1 + 8 + 8 + 4 + 4 + 4;

std::string_view name_of(Topic topic) {
  switch (topic) {
    case Topic::run:
      return "run";
    case Topic::queue:
      return "queue";
    case Topic::sessions:
      return "sessions";
    case Topic::owner:
      return "owner";
    case Topic::request:
      return "request";
    case Topic::reply:
      return "reply";
  }
  std::unreachable();
}

bool is_token_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

template <class Number>
void put(std::string& out, Number number) {
  for (std::size_t i = 0; i < sizeof number; ++i) out += static_cast<char>(number >> (8 * i) & 0xff);
}

template <class Number>
Number take(std::string_view& from) {
  Number number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i)
    number |= static_cast<Number>(static_cast<Number>(static_cast<unsigned char>(from[i])) << (8 * i));
  from.remove_prefix(sizeof number);
  return number;
}

}  // namespace

std::string token_of(std::string_view id) {
  const bool plain = !id.empty() && id.size() <= longest_token && std::ranges::all_of(id, is_token_character);
  return plain ? std::string(id) : "~" + sha256_hex(id);
}

std::string subject_of(std::string_view scope, Topic topic, std::string_view id) {
  return fmt::format("duragraph.bus.{}.{}.{}", scope, name_of(topic), token_of(id));
}

std::string subject_of_all(std::string_view scope, Topic topic) {
  return fmt::format("duragraph.bus.{}.{}.*", scope, name_of(topic));
}

std::string missed_subject(std::string_view scope) {
  return fmt::format("duragraph.bus.{}.missed", scope);
}

std::string encode(const Part& part) {
  std::string out;
  out.reserve(head_size + part.id.size() + part.body.size());
  out += form;
  put(out, part.sender);
  put(out, part.message);
  put(out, part.index);
  put(out, part.count);
  put(out, static_cast<std::uint32_t>(part.id.size()));
  out += part.id;
  out += part.body;
  return out;
}

std::optional<Part> decode(std::string_view payload) {
  if (payload.size() < head_size || payload.front() != form) return std::nullopt;
  payload.remove_prefix(1);
  Part part;
  part.sender = take<std::uint64_t>(payload);
  part.message = take<std::uint64_t>(payload);
  part.index = take<std::uint32_t>(payload);
  part.count = take<std::uint32_t>(payload);
  const auto id_size = take<std::uint32_t>(payload);
  if (id_size > payload.size() || part.index >= part.count) return std::nullopt;
  part.id = payload.substr(0, id_size);
  part.body = payload.substr(id_size);
  return part;
}

std::vector<std::string> split(std::string_view id, std::uint64_t sender, std::uint64_t message,
                               std::string_view body, std::size_t max_payload) {
  Part part{.id = std::string(id), .sender = sender, .message = message};
  const auto head = head_size + id.size();
  const auto room = max_payload > head ? max_payload - head : std::size_t{1};
  part.count = static_cast<std::uint32_t>(std::max<std::size_t>((body.size() + room - 1) / room, 1));
  std::vector<std::string> out;
  for (; part.index < part.count; ++part.index) {
    part.body = body.substr(part.index * room, room);
    out.push_back(encode(part));
  }
  return out;
}

std::optional<std::string> Assembler::add(std::uint64_t subscription, const Part& part, SteadyTime now) {
  auto place = begun_.find({subscription, part.sender});
  if (place != begun_.end() && !continues(place->second, part)) {
    drop(place);
    place = begun_.end();
  }
  if (part.count == 1) return std::string(part.body);
  if (place == begun_.end()) {
    if (part.index != 0 || bytes_ + part.body.size() > bounds_.total) {
      dropped_ += part.index == 0 ? 1 : 0;
      return std::nullopt;
    }
    place = begun_.emplace(Key{subscription, part.sender}, Begun{part.message, 0, {}, now}).first;
  }
  auto& begun = place->second;
  begun.body += part.body;
  begun.last = now;
  bytes_ += part.body.size();
  if (++begun.next < part.count) return std::nullopt;
  auto body = std::move(begun.body);
  bytes_ -= body.size();
  begun_.erase(place);
  return body;
}

bool Assembler::continues(const Begun& begun, const Part& part) const {
  return begun.message == part.message && begun.next == part.index &&
         begun.body.size() + part.body.size() <= bounds_.message &&
         bytes_ + part.body.size() <= bounds_.total;
}

Assembler::Place Assembler::drop(Place place) {
  ++dropped_;
  bytes_ -= place->second.body.size();
  return begun_.erase(place);
}

void Assembler::expire(SteadyTime now) {
  for (auto place = begun_.begin(); place != begun_.end();)
    place = place->second.last + bounds_.time < now ? drop(place) : std::next(place);
}

void Assembler::forget(std::uint64_t subscription) {
  for (auto place = begun_.lower_bound({subscription, 0});
       place != begun_.end() && place->first.first == subscription;) {
    bytes_ -= place->second.body.size();
    place = begun_.erase(place);
  }
}

void Assembler::clear() {
  begun_.clear();
  bytes_ = 0;
}

}  // namespace dg::bus::nats
