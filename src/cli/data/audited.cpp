#include "cli/data/audited.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "cli/client/exit_code.hpp"
#include "cli/config/commands.hpp"
#include "cli/data/postgres_target.hpp"
#include "store/postgres/audit.hpp"
#include "store/sqlite/audit.hpp"

namespace dg::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view forbidden_advice =
    "Use the role that `duragraph serve` uses, or the tables' owner";

// A database on PostgreSQL, opened by one of the adapter's functions.
template <class Open>
auto open_postgres(const AuditedChoice& choice, Output& out, Open open)
    -> Result<std::pair<std::string, typename decltype(open(store::postgres::Conninfo()))::value_type>> {
  const auto target = find_postgres(choice.sources, out);
  if (!target) return fail(target.error());
  auto opened = open(target->conninfo);
  if (!opened) return fail(explain(opened.error(), target->name, forbidden_advice));
  return std::pair{target->name, std::move(*opened)};
}

fs::path file_of(const AuditedChoice& choice) {
  return choice.file.empty() ? database_in(data_folder_of(choice.dir)) : fs::path(choice.file);
}

}  // namespace

bool AuditedChoice::on_postgres() const {
  return postgres || !sources.flags.empty() || !sources.config.empty();
}

void add_audited(CLI::App& command, AuditedChoice& choice) {
  auto* const dir = command.add_option("dir", choice.dir, "The project's folder")->capture_default_str();
  command.add_flag("--postgres", choice.postgres,
                   "The database that `duragraph serve` would use here, on PostgreSQL, and not a folder's");
  add_database_flags(command, choice.sources);
  command.parse_complete_callback([dir, &choice] {
    if (choice.on_postgres() && (dir->count() > 0 || !choice.file.empty()))
      throw CLI::ValidationError(
          "a project's folder or file is one database, --postgres and its flags name another: choose one");
  });
}

Result<OpenAudit> open_audit(const AuditedChoice& choice, Output& out) {
  if (choice.on_postgres()) {
    auto opened =
        open_postgres(choice, out, [](const auto& conninfo) { return store::open_postgres_audit(conninfo); });
    if (!opened) return fail(opened.error());
    return OpenAudit{std::move(opened->first), std::move(opened->second)};
  }
  const auto path = file_of(choice);
  auto audit = store::open_sqlite_audit(path);
  if (!audit) return fail(audit.error());
  return OpenAudit{path.string(), std::move(*audit)};
}

Result<OpenRebuilding> open_rebuilding(const AuditedChoice& choice, Output& out) {
  if (choice.on_postgres()) {
    auto opened = open_postgres(
        choice, out, [](const auto& conninfo) { return store::open_postgres_rebuilding(conninfo); });
    if (!opened) return fail(opened.error());
    return OpenRebuilding{std::nullopt, std::move(opened->second)};
  }
  const auto path = file_of(choice);
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    return fail(Errc::not_found, fmt::format("{} does not exist", path.string()));
  auto locked = DataFolder::open(data_folder_of(choice.dir));
  if (!locked) return fail(locked.error());
  auto rebuilding = store::open_sqlite_rebuilding(path);
  if (!rebuilding) return fail(rebuilding.error());
  return OpenRebuilding{std::move(*locked), std::move(*rebuilding)};
}

int report(Output& out, const AuditedChoice& choice, const Error& error) {
  out.error(error.message);
  // No server is missing where a file is: somebody else has the database.
  if (error.code == Errc::unavailable && !choice.on_postgres()) return static_cast<int>(ExitCode::conflict);
  return static_cast<int>(exit_code_for(error.code));
}

}  // namespace dg::cli
