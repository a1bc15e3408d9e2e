// Which database `verify` and `rebuild` are for: the file of a project's folder, or one on PostgreSQL.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "cli/client/output.hpp"
#include "cli/config/settings.hpp"
#include "cli/server/data_folder.hpp"
#include "store/audit/port.hpp"

namespace dg::cli {

// What the command line says. It is on PostgreSQL where a flag says so or names a place of PostgreSQL; the
// environment alone does not.
struct AuditedChoice {
  std::string dir = ".";
  std::string file;  // in place of the folder's
  bool postgres = false;
  SettingSources sources{};

  bool on_postgres() const;
};

// Adds the folder, --postgres and the flags for PostgreSQL. `choice` outlives the command.
void add_audited(CLI::App& command, AuditedChoice& choice);

struct OpenAudit {
  std::string name;  // of the database, for a person
  std::unique_ptr<store::audit::Audit> audit;
};
Result<OpenAudit> open_audit(const AuditedChoice& choice, Output& out);

// While it lives no server uses the database.
struct OpenRebuilding {
  std::optional<DataFolder> folder;
  store::audit::Rebuilding rebuilding;
};
Result<OpenRebuilding> open_rebuilding(const AuditedChoice& choice, Output& out);

// Says what went wrong; its exit code.
int report(Output& out, const AuditedChoice& choice, const Error& error);

}  // namespace dg::cli
