// `duragraph bench`.
#pragma once

#include <CLI/CLI.hpp>

namespace dg::cli {

void add_bench_command(CLI::App& app, int& exit_code);

}  // namespace dg::cli
