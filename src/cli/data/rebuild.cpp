#include "store/audit/rebuild.hpp"

#include <fmt/format.h>

#include <csignal>
#include <memory>

#include "cli/client/command_line.hpp"
#include "cli/client/exit_code.hpp"
#include "cli/data/audited.hpp"
#include "cli/data/commands.hpp"
#include "cli/data/report.hpp"

namespace dg::cli {
namespace {

using store::audit::Rebuilt;

struct RebuildOptions {
  AuditedChoice choice;
  int limit = 100;
  bool dry_run = false;
  bool json = false;
};

Result<Rebuilt> plan(const AuditedChoice& choice, Output& out, std::size_t limit) {
  const auto open = open_audit(choice, out);
  if (!open) return fail(open.error());
  return store::audit::plan_rebuild(*open->audit, limit);
}

Result<Rebuilt> rebuild(const AuditedChoice& choice, Output& out, std::size_t limit) {
  auto open = open_rebuilding(choice, out);
  if (!open) return fail(open.error());
  return store::audit::rebuild(open->rebuilding, limit);
}

std::string to_json(const Rebuilt& rebuilt, bool dry_run) {
  json::Writer json;
  json.begin_object().key("dry_run").boolean(dry_run).key("tables").begin_object();
  for (const auto& [table, counts] : rebuilt.tables) {
    json.key(to_string(table)).begin_object().key("added").integer(counts.added);
    json.key("changed").integer(counts.changed).key("removed").integer(counts.removed).end_object();
  }
  json.end_object();
  write_findings(json, rebuilt.findings);
  write_checked(json, rebuilt.checked);
  json.end_object();
  return json.take();
}

void print(Output& out, const Rebuilt& rebuilt, bool dry_run) {
  const auto* const done = dry_run ? "to be " : "";
  for (const auto& [table, counts] : rebuilt.tables)
    out.line(fmt::format("{}: {} rows {}added, {} {}changed, {} {}removed", to_string(table), counts.added,
                         done, counts.changed, done, counts.removed, done));
  if (rebuilt.findings.total() == 0) return;
  out.line("What the tables follow from is not in order; rows of what cannot be read were left as they are:");
  print_findings(out, rebuilt.findings);
}

int run_rebuild(const RebuildOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that leaves early does not change what is done
  Output out(options.json);
  const auto limit = static_cast<std::size_t>(options.limit);
  const auto rebuilt =
      options.dry_run ? plan(options.choice, out, limit) : rebuild(options.choice, out, limit);
  if (!rebuilt) return report(out, options.choice, rebuilt.error());
  if (options.json) {
    out.line(to_json(*rebuilt, options.dry_run));
  } else {
    print(out, *rebuilt, options.dry_run);
  }
  return static_cast<int>(rebuilt->findings.total() == 0 ? ExitCode::ok : ExitCode::failed);
}

}  // namespace

void add_rebuild_command(CLI::App& app, int& exit_code) {
  auto* const command = app.add_subcommand(
      "rebuild", "Write the tables that follow from events and checkpoints anew; the server is stopped");
  const auto options = std::make_shared<RebuildOptions>();
  add_audited(*command, options->choice);
  command->add_flag("--dry-run", options->dry_run, "Only say what would change; also while a server runs");
  command->add_option("--limit", options->limit, "How many findings are shown; all are counted")
      ->check(whole_number(0))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &exit_code] { exit_code = run_rebuild(*options); });
}

}  // namespace dg::cli
