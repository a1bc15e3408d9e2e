#include "store/audit/verify.hpp"

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

struct VerifyOptions {
  AuditedChoice choice;
  int limit = 100;
  bool json = false;
};

std::string to_json(const std::string& name, const store::audit::Verified& verified) {
  json::Writer json;
  json.begin_object().key("database").string(name);
  json.key("clean").boolean(verified.findings.total() == 0);
  write_findings(json, verified.findings);
  write_checked(json, verified.checked);
  json.end_object();
  return json.take();
}

int run_verify(const VerifyOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that leaves early does not change the exit code
  Output out(options.json);
  const auto open = open_audit(options.choice, out);
  if (!open) return report(out, options.choice, open.error());
  const auto verified = store::audit::verify(*open->audit, static_cast<std::size_t>(options.limit));
  if (!verified) return report(out, options.choice, verified.error());
  if (options.json) {
    out.line(to_json(open->name, *verified));
  } else {
    print_findings(out, verified->findings);
    out.line(fmt::format("{}; checked {}", summary(verified->findings), summary(verified->checked)));
  }
  return static_cast<int>(verified->findings.total() == 0 ? ExitCode::ok : ExitCode::failed);
}

}  // namespace

void add_verify_command(CLI::App& app, int& exit_code) {
  auto* const command = app.add_subcommand(
      "verify", "Check that everything in a database fits together, while it is served or not");
  const auto options = std::make_shared<VerifyOptions>();
  add_audited(*command, options->choice);
  command->add_option("--database", options->choice.file, "The database file, when it is elsewhere");
  command->add_option("--limit", options->limit, "How many findings are shown; all are counted")
      ->check(whole_number(0))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  command->footer("Ends with 0 when nothing is wrong and with 1 when something is. Nothing is changed.");
  command->callback([options, &exit_code] { exit_code = run_verify(*options); });
}

void add_data_commands(CLI::App& app, int& exit_code) {
  add_verify_command(app, exit_code);
  add_rebuild_command(app, exit_code);
  add_db_commands(app, exit_code);
}

}  // namespace dg::cli
