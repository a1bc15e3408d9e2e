// The client commands: run, thread, assistant, worker list and version.
#pragma once

#include <CLI/CLI.hpp>

namespace dg::cli {

// Adds the client commands to `app`. The one that the command line names runs while `app` parses
// and leaves its exit code in `exit_code`, which must outlive `app`.
void add_client_commands(CLI::App& app, int& exit_code);

// The program's version.
const char* program_version();

// The subcommand of that name, made when it is missing: several parts of the program add to "worker".
CLI::App& group(CLI::App& app, const std::string& name, const std::string& description);

void add_run_commands(CLI::App& app, int& exit_code);
void add_thread_commands(CLI::App& app, int& exit_code);
void add_listing_commands(CLI::App& app, int& exit_code);

}  // namespace dg::cli
