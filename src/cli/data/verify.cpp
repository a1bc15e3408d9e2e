#include "store/audit/verify.hpp"

#include <fmt/format.h>

#include <csignal>
#include <memory>

#include "cli/client/command_line.hpp"
#include "cli/data/commands.hpp"
#include "cli/data/report.hpp"
#include "cli/server/data_folder.hpp"
#include "store/sqlite/audit.hpp"

namespace dg::cli {
namespace {

struct VerifyOptions {
  std::string dir = ".";
  std::string database;
  int limit = 100;
  bool json = false;
};

std::string to_json(const std::filesystem::path& path, const store::audit::Verified& verified) {
  json::Writer json;
  json.begin_object().key("database").string(path.string());
  json.key("clean").boolean(verified.findings.total() == 0);
  write_findings(json, verified.findings);
  write_checked(json, verified.checked);
  json.end_object();
  return json.take();
}

int run_verify(const VerifyOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that leaves early does not change the exit code
  Output out(options.json);
  const auto path = options.database.empty() ? database_in(data_folder_of(options.dir))
                                             : std::filesystem::path(options.database);
  const auto audit = store::open_sqlite_audit(path);
  if (!audit) return report(out, audit.error());
  const auto verified = store::audit::verify(**audit, static_cast<std::size_t>(options.limit));
  if (!verified) return report(out, verified.error());
  if (options.json) {
    out.line(to_json(path, *verified));
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
  command->add_option("dir", options->dir, "The project's folder")->capture_default_str();
  command->add_option("--database", options->database, "The database file, when it is elsewhere");
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
