#include <CLI/CLI.hpp>

#include "cli/bench/command.hpp"
#include "cli/client/client.hpp"
#include "cli/client/exit_code.hpp"
#include "cli/server/commands.hpp"

int main(int argc, char** argv) {
  CLI::App app("A self-hosted control plane for durable AI agents", "duragraph");
  app.require_subcommand(1);
  int exit_code = 0;
  dg::cli::add_client_commands(app, exit_code);
  dg::cli::add_server_commands(app, exit_code);
  dg::cli::add_bench_command(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(dg::cli::ExitCode::usage);
  }
  return exit_code;
}
