// Settings from an environment that a test makes up.
#pragma once

#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "cli/config/settings.hpp"

namespace dg::cli {

using Variables = std::map<std::string, std::string>;

inline SettingSources sources_of(Variables variables,
                                 std::map<std::string, std::string, std::less<>> flags = {},
                                 std::string config = {}) {
  return {[variables = std::move(variables)](const std::string& name) {
            const auto found = variables.find(name);
            return found == variables.end() ? std::nullopt : std::optional(found->second);
          },
          std::move(flags), std::move(config)};
}

inline ServeSettings settings_of(Variables variables) {
  auto settings = load_settings(sources_of(std::move(variables)));
  if (!settings) throw std::runtime_error(settings.error().message);
  return std::move(*settings);
}

}  // namespace dg::cli
