#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "cli/access/commands.hpp"
#include "cli/bench/command.hpp"
#include "cli/client/client.hpp"
#include "cli/client/command_line.hpp"
#include "cli/client/exit_code.hpp"
#include "cli/config/commands.hpp"
#include "cli/data/commands.hpp"
#include "cli/server/commands.hpp"

namespace {

// Each connection is an open file. What is usual, 1024, is for programs that use select().
void raise_limit_of_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  raise_limit_of_open_files();
  CLI::App app("A self-hosted control plane for durable AI agents", "duragraph");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("duragraph ") + dg::cli::program_version(),
                       "Print the program's version");
  int exit_code = 0;
  dg::cli::add_client_commands(app, exit_code);
  dg::cli::add_server_commands(app, exit_code);
  dg::cli::add_config_commands(app, exit_code);
  dg::cli::add_data_commands(app, exit_code);
  dg::cli::add_access_commands(app, exit_code);
  dg::cli::add_bench_command(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // for help, or the version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    std::cerr << dg::cli::describe(app, error);
    return static_cast<int>(dg::cli::ExitCode::usage);
  }
  return exit_code;
}
