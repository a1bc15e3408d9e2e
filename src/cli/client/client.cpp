#include "cli/client/client.hpp"

namespace dg::cli {

const char* program_version() {
  return DURAGRAPH_VERSION;
}

CLI::App& group(CLI::App& app, const std::string& name, const std::string& description) {
  const auto found = app.get_subcommands([&](const CLI::App* sub) { return sub->get_name() == name; });
  if (!found.empty()) return *found.front();
  return *app.add_subcommand(name, description)->require_subcommand(1);
}

void add_client_commands(CLI::App& app, int& exit_code) {
  add_run_commands(app, exit_code);
  add_thread_commands(app, exit_code);
  add_listing_commands(app, exit_code);
}

}  // namespace dg::cli
