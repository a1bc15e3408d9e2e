// `duragraph db migrate` and `duragraph db status`, of a database on PostgreSQL.
#include <fmt/format.h>

#include <csignal>
#include <memory>

#include "base/json.hpp"
#include "base/system_world.hpp"
#include "cli/client/exit_code.hpp"
#include "cli/client/output.hpp"
#include "cli/config/commands.hpp"
#include "cli/data/commands.hpp"
#include "cli/data/postgres_target.hpp"
#include "store/postgres/migrations.hpp"

namespace dg::cli {
namespace {

namespace postgres = store::postgres;
using Kind = postgres::SchemaState::Kind;

struct DbOptions {
  SettingSources sources;
  bool json = false;
};

constexpr std::string_view if_not_owner =
    "The schema is made by the owner of the database: ALTER DATABASE … OWNER TO …";

ExitCode exit_code_of(Kind kind) {
  switch (kind) {
    case Kind::current:
    case Kind::next:
      return ExitCode::ok;
    case Kind::none:
    case Kind::older:
      return ExitCode::failed;
    default:
      return ExitCode::conflict;
  }
}

void write_names(json::Writer& json, std::string_view key, const std::vector<std::string>& names) {
  json.key(key).begin_array();
  for (const auto& name : names) json.string(name);
  json.end_array();
}

std::string_view word_of(Kind kind) {
  switch (kind) {
    case Kind::none:
      return "none";
    case Kind::older:
      return "older";
    case Kind::current:
      return "current";
    case Kind::next:
      return "next";
    case Kind::newer:
      return "newer";
    case Kind::in_use:
      return "in use";
    case Kind::altered:
      return "altered";
    case Kind::original:
      return "original";
    case Kind::foreign:
      return "foreign";
    case Kind::unsuitable:
      return "unsuitable";
  }
  return "";
}

// What a command does over one connection to the database of that name. The exit code where it could be done.
using Work = Task<postgres::Outcome<ExitCode>> (*)(postgres::Connection&, Output&, std::string name);

Task<void> with_connection(SystemWorld& world, Output& out, PostgresTarget target, Work work,
                           ExitCode& exit_code) {
  const auto refuse = [&](const postgres::Failure& failure) {
    const auto error = explain(failure.to_command_error(), target.name, if_not_owner);
    out.error(error.message);
    exit_code = exit_code_for(error.code);
  };
  auto connection = co_await postgres::Connection::open(*world.timers, {.conninfo = target.conninfo});
  if (!connection) co_return refuse(connection.error());
  const auto done = co_await work(**connection, out, target.name);
  if (!done) co_return refuse(done.error());
  exit_code = *done;
}

int run_with_connection(const DbOptions& options, Work work) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that leaves early does not change what is done
  Output out(options.json);
  auto target = find_postgres(options.sources, out);
  if (!target) {
    out.error(target.error().message);
    return static_cast<int>(exit_code_for(target.error().code));
  }
  SystemWorld world;
  auto exit_code = ExitCode::failed;
  spawn(world.io.get_executor(), "db", with_connection(world, out, std::move(*target), work, exit_code));
  world.io.run();
  return static_cast<int>(exit_code);
}

void print(Output& out, const std::string& name, const postgres::Migration& migration, bool usable) {
  if (out.json()) {
    json::Writer json;
    json.begin_object().key("database").string(name);
    json.key("state").string(migration.applied.empty() ? word_of(migration.found.kind) : "current");
    write_names(json, "applied", migration.applied);
    json.end_object();
    return out.line(json.take());
  }
  for (const auto& file : migration.applied) out.line(fmt::format("applied {}", file));
  if (migration.applied.empty() && usable) out.line(fmt::format("{}: nothing to do", name));
}

Task<postgres::Outcome<ExitCode>> migrate(postgres::Connection& connection, Output& out, std::string name) {
  const auto migration = co_await postgres::migrate(
      connection, [&](std::string_view what) { out.note(fmt::format("{}: waiting for {}", name, what)); });
  if (!migration) co_return postgres::fail_with(migration.error());
  const bool usable = !migration->applied.empty() || migration->found.is_served();
  print(out, name, *migration, usable);
  if (usable) co_return ExitCode::ok;
  out.error(fmt::format("{}: {}", name, migration->found.message));
  co_return ExitCode::conflict;
}

void print(Output& out, const std::string& name, const postgres::SchemaState& state) {
  if (!out.json()) return out.line(fmt::format("{}: {}", name, state.message));
  json::Writer json;
  json.begin_object().key("database").string(name).key("state").string(word_of(state.kind));
  json.key("schema").integer(state.number);
  write_names(json, "missing", state.missing);
  json.key("message").string(state.message).end_object();
  out.line(json.take());
}

Task<postgres::Outcome<ExitCode>> show_status(postgres::Connection& connection, Output& out,
                                              std::string name) {
  const auto state = co_await postgres::schema_state(connection);
  if (!state) co_return postgres::fail_with(state.error());
  print(out, name, *state);
  co_return exit_code_of(state->kind);
}

constexpr const char* where_it_is =
    "The database is the one that `duragraph serve` would use with the same flags, environment and file of "
    "settings.";

void add_command(CLI::App& parent, const char* name, const char* what, const std::string& footer, Work work,
                 int& exit_code) {
  auto* const command = parent.add_subcommand(name, what);
  const auto options = std::make_shared<DbOptions>();
  add_database_flags(*command, options->sources);
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(footer);
  command->callback([options, work, &exit_code] { exit_code = run_with_connection(*options, work); });
}

void add_migrate(CLI::App& parent, const char* what, int& exit_code) {
  add_command(parent, "migrate", what,
              fmt::format("{}\nAny number may run at once. A database that was set up with psql is known.",
                          where_it_is),
              &migrate, exit_code);
}

}  // namespace

void add_db_commands(CLI::App& app, int& exit_code) {
  auto* const db = app.add_subcommand("db", "The database of production, on PostgreSQL");
  db->require_subcommand(1);
  add_migrate(*db, "Make the tables, or bring them to this program's schema", exit_code);
  add_command(
      *db, "status", "Show whether the database has a schema that this program serves",
      fmt::format("{}\nEnds with 0 when it has, with 1 when `duragraph db migrate` is to be run, and with 5 "
                  "when it is no database for this program.",
                  where_it_is),
      &show_status, exit_code);
  add_migrate(app, "The same as `db migrate`", exit_code);
}

}  // namespace dg::cli
