// Spans as OpenTelemetry's protocol has them (opentelemetry-proto, trace/v1).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/trace.hpp"

namespace dg::otlp {

enum class Protocol { protobuf, json };

// What spans come from: attributes of the resource, service.name among them, and the program's version.
struct Source {
  std::vector<std::pair<std::string, std::string>> resource;
  std::string version;
};

std::string_view content_type(Protocol protocol);

// An ExportTraceServiceRequest. Texts are UTF-8.
std::string encode(Protocol protocol, const Source& source, std::span<const Span> spans);

}  // namespace dg::otlp
