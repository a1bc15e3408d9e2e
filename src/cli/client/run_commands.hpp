#pragma once

#include <CLI/CLI.hpp>

namespace dg::cli {

// Adds create, resume, retry and fork to the command `run`.
void add_run_start_commands(CLI::App& run, int& exit_code);

}  // namespace dg::cli
