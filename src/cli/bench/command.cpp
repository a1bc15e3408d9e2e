#include "cli/bench/command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cli/bench/workloads.hpp"
#include "cli/client/command_line.hpp"
#include "cli/client/exit_code.hpp"
#include "cli/client/output.hpp"
#include "cli/project/project.hpp"

namespace dg::cli {
namespace {

struct BenchOptions {
  std::string dir = ".";
  std::vector<std::string> only;
  double seconds = 5;
  std::int64_t seed_data = 0;
  bool json = false;
  bool postgres = false;
  bench::DeploymentOptions deployment;
};

constexpr auto dev_server = "duragraph dev, on SQLite that flushes every commit";

std::string descriptions() {
  std::string out = "The workloads:\n";
  for (const auto& workload : bench::workloads())
    out += fmt::format("  {:<12} {}\n", workload.name, workload.description);
  return out;
}

// Those that were asked for and say something of what is measured.
std::vector<bench::Workload> chosen_workloads(const bench::Bench& bench, const BenchOptions& options,
                                              Output& out, int& exit_code) {
  std::vector<bench::Workload> chosen;
  for (const auto& workload : bench::workloads()) {
    const bool named = std::ranges::find(options.only, workload.name) != options.only.end();
    if (!options.only.empty() && !named) continue;
    const auto why_not = bench::why_not(workload, bench);
    if (why_not.empty()) {
      chosen.push_back(workload);
    } else if (named) {
      out.error(fmt::format("{} {}", workload.name, why_not));
      exit_code = static_cast<int>(ExitCode::usage);
    } else {
      out.note(fmt::format("{} is left out: it {}", workload.name, why_not));
    }
  }
  return chosen;
}

Task<std::vector<bench::Row>> run_workloads(bench::Bench& bench, std::vector<bench::Workload> workloads,
                                            Output& out, int& exit_code) {
  std::vector<bench::Row> rows;
  for (const auto& workload : workloads) {
    auto found = co_await workload.run(bench);
    if (!found) {
      out.error(fmt::format("{}: {}", workload.name, found.error().message));
      exit_code = static_cast<int>(ExitCode::failed);
      continue;
    }
    for (auto& row : *found) {
      if (row.samples.errors() > 0) exit_code = static_cast<int>(ExitCode::failed);
      rows.push_back(std::move(row));
    }
  }
  co_return rows;
}

void print(const std::vector<bench::Row>& rows, const std::string& server, Output& out) {
  const auto machine = bench::describe_machine();
  if (out.json()) return out.data(bench::to_json(rows, machine, server) + "\n");
  out.line(machine);
  out.line(server);
  out.data(bench::to_table(rows));
}

Task<void> measure(bench::Bench& bench, const BenchOptions& options, Output& out, int& exit_code) {
  std::unique_ptr<bench::Deployment> deployment;
  if (options.postgres) {
    auto started = co_await bench::Deployment::start(bench.loop, options.deployment);
    if (!started) {
      out.error(started.error().message);
      exit_code = static_cast<int>(exit_code_for(started.error().code));
      bench.loop.io.stop();
      co_return;
    }
    deployment = std::move(*started);
    bench.deployment = deployment.get();
  }
  auto chosen = chosen_workloads(bench, options, out, exit_code);
  const auto rows = co_await run_workloads(bench, std::move(chosen), out, exit_code);
  print(rows, deployment ? deployment->description : dev_server, out);
  if (deployment) co_await deployment->cluster->stop();
  bench.loop.io.stop();
}

int run_bench(const BenchOptions& options) {
  Output out(options.json);
  const auto python = find_python(options.dir);
  if (!python) {
    out.error(python.error().message);
    return static_cast<int>(ExitCode::failed);
  }
  SystemWorld loop;
  bench::Bench bench{loop,
                     nullptr,
                     *python,
                     std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.seconds)),
                     options.seed_data,
                     [&out](const std::string& what) { out.note(what); }};
  int exit_code = 0;
  spawn(loop.io.get_executor(), "bench", measure(bench, options, out, exit_code));
  loop.io.run();
  return exit_code;
}

}  // namespace

void add_bench_command(CLI::App& app, int& exit_code) {
  auto* const command = app.add_subcommand("bench", "Measure this machine with a server of its own");
  const auto options = std::make_shared<BenchOptions>();
  std::vector<std::string> names;
  for (const auto& workload : bench::workloads()) names.push_back(workload.name);
  command->add_option("workloads", options->only, "Which; all when none is named")
      ->check(CLI::IsMember(names));
  command->add_option("--project", options->dir, "A folder whose Python environment has LangGraph")
      ->capture_default_str();
  command->add_option("--seconds", options->seconds, "Of each measurement")
      ->check(at_least(0.1))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  command->add_flag("--postgres", options->postgres,
                    "Measure `duragraph serve` on a PostgreSQL of its own, with NATS where it is installed");
  auto* const named =
      command->add_option("--database-url", options->deployment.database_url,
                          "The same on a PostgreSQL that is there, in databases that are made and dropped");
  command->add_option("--instances", options->deployment.instances, "Of `duragraph serve`")
      ->check(whole_number(1))
      ->capture_default_str();
  command->add_option("--seed-data", options->seed_data, "How many runs `stored` fills the database with");
  command->footer(descriptions());
  command->callback([options, named, &exit_code] {
    options->postgres = options->postgres || named->count() > 0;
    if (options->deployment.instances > 1 && !options->postgres)
      throw CLI::ValidationError("--instances is for --postgres: `duragraph dev` has one");
    exit_code = run_bench(*options);
  });
}

}  // namespace dg::cli
