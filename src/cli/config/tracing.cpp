#include "cli/config/tracing.hpp"

#include <algorithm>

#include "cli/config/setting_rules.hpp"

namespace dg::cli {
namespace {

constexpr std::string_view parent_based = "parentbased_";

std::vector<std::pair<std::string, std::string>> read_pairs(const Texts& texts) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& text : texts)
    if (auto pair = read_named_value(text)) out.push_back(std::move(*pair));
  return out;
}

std::string traces_endpoint(const ServeSettings& settings) {
  if (!settings.otel_exporter_otlp_traces_endpoint.empty())
    return settings.otel_exporter_otlp_traces_endpoint;
  auto base = settings.otel_exporter_otlp_endpoint;
  if (base.empty()) return base;
  while (base.ends_with('/')) base.pop_back();
  return base + "/v1/traces";
}

otlp::Sampler sampler_of(const ServeSettings& settings) {
  std::string_view name = settings.otel_traces_sampler;
  otlp::Sampler sampler{.ratio = settings.otel_traces_sampler_arg,
                        .by_parent = name.starts_with(parent_based)};
  if (sampler.by_parent) name.remove_prefix(parent_based.size());
  if (name == "always_on") sampler.ratio = 1;
  if (name == "always_off") sampler.ratio = 0;
  return sampler;
}

// OTEL_SERVICE_NAME beats the attribute of that name, and that its default.
otlp::Source source_of(const ServeSettings& settings, const std::string& version) {
  auto resource = read_pairs(settings.otel_resource_attributes);
  const bool named =
      std::ranges::any_of(resource, [](const auto& one) { return one.first == "service.name"; });
  if (!named || settings.given("OTEL_SERVICE_NAME")) {
    std::erase_if(resource, [](const auto& one) { return one.first == "service.name"; });
    resource.emplace_back("service.name", settings.otel_service_name);
  }
  resource.emplace_back("service.version", version);
  resource.emplace_back("telemetry.sdk.name", "duragraph");
  resource.emplace_back("telemetry.sdk.language", "cpp");
  resource.emplace_back("telemetry.sdk.version", version);
  return {std::move(resource), version};
}

}  // namespace

std::optional<otlp::Settings> trace_settings(const ServeSettings& settings, const std::string& version) {
  otlp::Settings out;
  out.endpoint = traces_endpoint(settings);
  if (out.endpoint.empty() || settings.otel_sdk_disabled || settings.otel_traces_exporter == "none")
    return std::nullopt;
  out.headers = read_pairs(settings.otel_exporter_otlp_headers);
  out.protocol =
      settings.otel_exporter_otlp_protocol == "http/json" ? otlp::Protocol::json : otlp::Protocol::protobuf;
  out.timeout = std::chrono::milliseconds(settings.otel_exporter_otlp_timeout);
  out.source = source_of(settings, version);
  out.sampler = sampler_of(settings);
  return out;
}

}  // namespace dg::cli
