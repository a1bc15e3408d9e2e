// The commands that work on a database without its server: verify, rebuild and db.
#pragma once

#include <CLI/CLI.hpp>

namespace dg::cli {

void add_data_commands(CLI::App& app, int& exit_code);

void add_verify_command(CLI::App& app, int& exit_code);
void add_rebuild_command(CLI::App& app, int& exit_code);
void add_db_commands(CLI::App& app, int& exit_code);

}  // namespace dg::cli
