#include "cli/bench/command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

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
  bool json = false;
};

std::string descriptions() {
  std::string out = "The workloads:\n";
  for (const auto& workload : bench::workloads())
    out += fmt::format("  {:<12} {}\n", workload.name, workload.description);
  return out;
}

Task<void> run_workloads(bench::Bench& bench, const BenchOptions& options, Output& out, int& exit_code) {
  std::vector<bench::Row> rows;
  for (const auto& workload : bench::workloads()) {
    if (!options.only.empty() && std::ranges::find(options.only, workload.name) == options.only.end())
      continue;
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
  const auto machine = bench::describe_machine();
  if (options.json) {
    out.data(bench::to_json(rows, machine) + "\n");
  } else {
    out.line(machine);
    out.data(bench::to_table(rows));
  }
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
  bench::Bench bench{loop, *python,
                     std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.seconds)),
                     [&out](const std::string& what) { out.note(what); }};
  int exit_code = 0;
  spawn(loop.io.get_executor(), "bench", run_workloads(bench, options, out, exit_code));
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
  command->footer(descriptions());
  command->callback([options, &exit_code] { exit_code = run_bench(*options); });
}

}  // namespace dg::cli
