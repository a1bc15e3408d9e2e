// The settings on the command line: their flags, and `duragraph config show`.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/config/settings.hpp"

namespace dg::cli {

// Adds --config and a flag for each setting. Parsing leaves them in `sources`, which must outlive `command`;
// their values are looked at by load_settings(), so that all that is wrong is told at once.
void add_setting_flags(CLI::App& command, SettingSources& sources);

// The same for the settings that say where the database is, for commands that work on it alone.
void add_database_flags(CLI::App& command, SettingSources& sources);

// The same for those that say what JWTs are like.
void add_token_flags(CLI::App& command, SettingSources& sources);

void add_config_commands(CLI::App& app, int& exit_code);

// What `config show` prints: aligned columns, or JSON.
std::string settings_as_table(const ServeSettings& settings, bool with_origin);
std::string settings_as_json(const ServeSettings& settings);

}  // namespace dg::cli
