// For whom a token or key is made, and for how long.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "auth/identity.hpp"
#include "cli/config/setting_rules.hpp"

namespace dg::cli {

struct Holder {
  std::string user;
  std::string role = "editor";
  std::string ttl;

  auth::Identity identity() const;
  std::optional<std::chrono::seconds> lifetime() const { return read_duration(ttl); }
};

// Adds --user, --role and --ttl, whose values are checked. `holder` outlives the command.
void add_holder(CLI::App& command, Holder& holder, const std::string& ttl_help);

}  // namespace dg::cli
