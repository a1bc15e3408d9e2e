// The commands that serve: dev, serve and worker.
#pragma once

#include <CLI/CLI.hpp>

namespace dg::cli {

void add_server_commands(CLI::App& app, int& exit_code);

}  // namespace dg::cli
