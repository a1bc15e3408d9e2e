// The commands that let somebody in: `duragraph token` and `duragraph key`.
#pragma once

#include <CLI/CLI.hpp>

namespace dg::cli {

void add_access_commands(CLI::App& app, int& exit_code);

void add_token_commands(CLI::App& app, int& exit_code);
void add_key_commands(CLI::App& app, int& exit_code);

}  // namespace dg::cli
