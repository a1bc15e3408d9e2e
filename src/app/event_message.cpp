#include "app/event_message.hpp"

#include <fmt/format.h>

#include "base/json.hpp"

namespace dg::app {
namespace {

// What may stand in a header as it is; the rest is percent-encoded, as CloudEvents has it.
std::string header_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = c > ' ' && c < '\x7F' && c != '"' && c != '%';
    if (plain)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string event_data(const domain::EventRecord& event, bool without_payload) {
  json::Writer out;
  out.begin_object().key("event_id").string(event.id);
  out.key("aggregate_type").string(to_string(event.aggregate));
  out.key("aggregate_id").string(event.aggregate_id);
  out.key("version").integer(event.version);
  out.key("type").string(event.type);
  out.key("occurred_at").string(to_rfc3339(event.at));
  out.key("thread_id");
  if (event.thread_id.empty())
    out.null();
  else
    out.string(event.thread_id);
  out.key("seq").integer(event.seq);
  out.key("metadata").raw(event.metadata);
  out.key("payload");
  if (without_payload)
    out.null().key("payload_omitted").boolean(true);
  else
    out.raw(event.payload);
  return out.end_object().take();
}

}  // namespace

bus::StreamEvent event_message(const store::PublishedEvent& published, const std::string& scope,
                               std::size_t max_data, bool replay) {
  const auto& event = published.event;
  const std::string type(to_string(event.aggregate));
  bus::StreamEvent out;
  out.key = fmt::format("{}:{}", type, event.aggregate_id);
  out.subject = {type, event.aggregate_id, event.type};
  out.message_id = header_text(fmt::format("{}:{}", out.key, event.version));
  out.headers = {
      {"content-type", "application/json"},
      {"ce-specversion", "1.0"},
      {"ce-id", out.message_id},
      {"ce-type", header_text("duragraph." + event.type)},
      {"ce-source", "/duragraph/" + scope},
      {"ce-subject", header_text(fmt::format("{}/{}", type, event.aggregate_id))},
      {"ce-time", to_rfc3339(event.at)},
      {"ce-sequence", fmt::format("{}", event.version)},
  };
  if (replay) out.headers.emplace_back("duragraph-replay", "true");
  out.data = event_data(event, published.without_payload);
  if (out.data.size() > max_data) out.data = event_data(event, true);
  return out;
}

}  // namespace dg::app
