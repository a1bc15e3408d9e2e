// The settings of OpenTelemetry, as what exports spans wants them.
#pragma once

#include <optional>
#include <string>

#include "cli/config/settings.hpp"
#include "otlp/exporter.hpp"

namespace dg::cli {

// Nothing where no spans are recorded: without a collector's address, or when told so.
std::optional<otlp::Settings> trace_settings(const ServeSettings& settings, const std::string& version);

}  // namespace dg::cli
