#include "cli/server/commands.hpp"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <memory>

#include "cli/client/client.hpp"
#include "cli/client/command_line.hpp"
#include "cli/config/commands.hpp"
#include "cli/server/options.hpp"
#include "cli/server/serve.hpp"

namespace dg::cli {
namespace {

// Flags of `langgraph dev` that are taken and do nothing here.
constexpr std::array flags_without_value{"--allow-blocking", "--wait-for-client", "--tunnel"};
constexpr std::array flags_with_value{"--debug-port", "--studio-url", "--server-log-level", "--ssl-certfile",
                                      "--ssl-keyfile"};

// A folder or file that is not there is a mistake of the command line, unlike what is wrong inside of it.
void expect_project(const std::string& dir, const std::string& config) {
  const auto path = config_path(dir, config);
  if (std::error_code ignored; std::filesystem::exists(path, ignored)) return;
  const auto full = std::filesystem::absolute(path).lexically_normal().string();
  throw CLI::ValidationError(
      config.empty() ? fmt::format("{} does not exist; go to a LangGraph project, or name its folder", full)
                     : fmt::format("--config: {} does not exist", full));
}

void add_dev(CLI::App& app, int& exit_code) {
  auto* const dev = app.add_subcommand("dev", "Serve a LangGraph project durably, with its worker");
  const auto options = std::make_shared<DevOptions>();
  dev->add_option("dir", options->dir, "The project's folder")->capture_default_str();
  dev->add_option("--config", options->config, "Its langgraph.json, when it is elsewhere");
  dev->add_option("--host", options->host, "The address to listen on")
      ->check(host_address())
      ->capture_default_str();
  dev->add_option("--port", options->port, "The port; 0 lets the system choose")
      ->check(port_number())
      ->capture_default_str();
  dev->add_option("--cors-origin", options->origins,
                  "A web origin that may use the server, or * for all; repeat for more")
      ->check(web_origin())
      ->allow_extra_args(false);
  dev->add_option("--n-jobs-per-worker", options->slots, "Runs that one process takes at a time")
      ->check(whole_number(1))
      ->capture_default_str();
  dev->add_option("--processes", options->processes, "Graph processes")
      ->check(whole_number(1))
      ->capture_default_str();
  dev->add_flag_callback("--no-reload", [options] { options->reload = false; }, "Do not load changed code");
  dev->add_flag_callback("--no-worker", [options] { options->worker = false; }, "Serve without a worker");
  dev->add_flag_callback("--no-browser", [] {}, "No browser is opened anyway");
  for (const auto* const flag : flags_without_value)
    dev->add_flag_callback(flag, [options, flag] { options->ignored.emplace_back(flag); })->group("");
  for (const auto* const flag : flags_with_value)
    dev->add_option_function<std::string>(
           flag, [options, flag](const std::string&) { options->ignored.emplace_back(flag); })
        ->group("");
  dev->callback([options, &exit_code] {
    expect_project(options->dir, options->config);
    exit_code = run_dev(*options);
  });
}

void add_serve(CLI::App& app, int& exit_code) {
  auto* const serve = app.add_subcommand("serve", "Serve on PostgreSQL; workers connect from anywhere");
  const auto sources = std::make_shared<SettingSources>();
  add_setting_flags(*serve, *sources);
  serve->callback([sources, &exit_code] { exit_code = run_serve(*sources); });
}

void add_worker(CLI::App& app, int& exit_code) {
  auto& worker = group(app, "worker", "Execute a project's graphs for a server, or list workers");
  worker.require_subcommand(0, 1);
  const auto options = std::make_shared<WorkerOptions>();
  worker.add_option("dir", options->dir, "The project's folder")->capture_default_str();
  worker.add_option("--config", options->config, "Its langgraph.json, when it is elsewhere");
  worker.add_option("--server", options->server,
                    "The server's URL; without it the one that `dev` left in the folder, else "
                    "http://127.0.0.1:2024");
  worker.add_option("--revision", options->revision, "The code's revision");
  worker.add_option("--n-jobs-per-worker", options->slots, "Runs that one process takes at a time")
      ->check(whole_number(1))
      ->capture_default_str();
  worker.add_option("--processes", options->processes, "Graph processes")
      ->check(whole_number(1))
      ->capture_default_str();
  worker.add_flag("--reload", options->reload, "Load changed code");
  worker.callback([options, &worker, &exit_code] {
    if (!worker.get_subcommands().empty()) return;
    expect_project(options->dir, options->config);
    exit_code = run_worker(*options);
  });
}

}  // namespace

std::filesystem::path config_path(const std::string& dir, const std::string& config) {
  return config.empty() ? std::filesystem::path(dir) / "langgraph.json" : std::filesystem::path(config);
}

void add_server_commands(CLI::App& app, int& exit_code) {
  add_serve(app, exit_code);
  add_dev(app, exit_code);
  add_worker(app, exit_code);
}

}  // namespace dg::cli
