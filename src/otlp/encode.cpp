#include "otlp/encode.hpp"

#include <cstdint>

#include "base/json.hpp"
#include "otlp/protobuf.hpp"

namespace dg::otlp {
namespace {

constexpr std::string_view scope_name = "duragraph";
constexpr std::uint64_t status_error = 2;

std::uint64_t nanos(WallTime time) {
  return static_cast<std::uint64_t>(to_micros(time)) * 1000;
}

// The lower eight bits are W3C's flags; the two above say whether the parent is in another process, which is
// not told.
std::uint32_t flags_of(const Span& span) {
  return span.context.sampled ? 1 : 0;
}

struct AsProtobuf {
  static std::string value(const std::string& text) { return Message().text(1, text).take(); }
  static std::string value(std::int64_t number) {
    return Message().varint(3, static_cast<std::uint64_t>(number)).take();
  }

  template <class Value>
  static std::string attribute(const std::string& key, const Value& of) {
    return Message().text(1, key).text(2, value(of)).take();
  }

  static std::string span(const Span& span) {
    Message out;
    out.bytes(1, span.context.trace_id).bytes(2, span.context.span_id);
    if (!span.context.state.empty()) out.text(3, span.context.state);
    if (span.parent) out.bytes(4, *span.parent);
    out.text(5, span.name).varint(6, static_cast<std::uint64_t>(span.kind));
    out.fixed64(7, nanos(span.began)).fixed64(8, nanos(span.ended));
    for (const auto& [key, of] : span.attributes)
      out.text(9, std::visit([&key](const auto& v) { return attribute(key, v); }, of));
    if (span.error) out.text(15, Message().text(2, *span.error).varint(3, status_error).take());
    return out.fixed32(16, flags_of(span)).take();
  }

  static std::string request(const Source& source, std::span<const Span> spans) {
    Message resource;
    for (const auto& [key, of] : source.resource) resource.text(1, attribute(key, of));
    Message scope;
    scope.text(1, Message().text(1, scope_name).text(2, source.version).take());
    for (const auto& one : spans) scope.text(2, span(one));
    return Message().text(1, Message().text(1, resource.take()).text(2, scope.take()).take()).take();
  }
};

// Ids are hexadecimal, and integers of 64 bits texts.
struct AsJson {
  json::Writer out;

  void value(const std::string& text) { out.begin_object().key("stringValue").string(text).end_object(); }
  void value(std::int64_t number) {
    out.begin_object().key("intValue").string(std::to_string(number)).end_object();
  }

  template <class Value>
  void attribute(const std::string& key, const Value& of) {
    out.begin_object().key("key").string(key).key("value");
    value(of);
    out.end_object();
  }

  void span(const Span& span) {
    out.begin_object().key("traceId").string(to_hex(span.context.trace_id));
    out.key("spanId").string(to_hex(span.context.span_id));
    if (!span.context.state.empty()) out.key("traceState").string(span.context.state);
    if (span.parent) out.key("parentSpanId").string(to_hex(*span.parent));
    out.key("name").string(span.name).key("kind").integer(static_cast<std::int64_t>(span.kind));
    out.key("startTimeUnixNano").string(std::to_string(nanos(span.began)));
    out.key("endTimeUnixNano").string(std::to_string(nanos(span.ended))).key("attributes").begin_array();
    for (const auto& [key, of] : span.attributes)
      std::visit([this, &key](const auto& v) { attribute(key, v); }, of);
    out.end_array();
    if (span.error) {
      out.key("status").begin_object().key("message").string(*span.error);
      out.key("code").integer(status_error).end_object();
    }
    out.key("flags").integer(flags_of(span)).end_object();
  }

  std::string request(const Source& source, std::span<const Span> spans) {
    out.begin_object().key("resourceSpans").begin_array().begin_object();
    out.key("resource").begin_object().key("attributes").begin_array();
    for (const auto& [key, of] : source.resource) attribute(key, of);
    out.end_array().end_object().key("scopeSpans").begin_array().begin_object();
    out.key("scope").begin_object().key("name").string(scope_name);
    out.key("version").string(source.version).end_object().key("spans").begin_array();
    for (const auto& one : spans) span(one);
    out.end_array().end_object().end_array().end_object().end_array().end_object();
    return out.take();
  }
};

}  // namespace

std::string_view content_type(Protocol protocol) {
  return protocol == Protocol::json ? "application/json" : "application/x-protobuf";
}

std::string encode(Protocol protocol, const Source& source, std::span<const Span> spans) {
  return protocol == Protocol::json ? AsJson().request(source, spans) : AsProtobuf::request(source, spans);
}

}  // namespace dg::otlp
