// `duragraph db migrate` and `duragraph db status`, of a database on PostgreSQL.
#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <memory>

#include "base/json.hpp"
#include "base/system_world.hpp"
#include "cli/client/exit_code.hpp"
#include "cli/client/output.hpp"
#include "cli/data/commands.hpp"
#include "store/postgres/conninfo.hpp"
#include "store/postgres/migrations.hpp"

namespace dg::cli {
namespace {

namespace postgres = store::postgres;
using Kind = postgres::SchemaState::Kind;

struct DbOptions {
  std::string url;
  bool json = false;
};

// --database-url, else DATABASE_URL, else DB_*.
Result<postgres::Conninfo> read_address(const DbOptions& options) {
  const auto variable = [](const char* name, std::string_view fallback) {
    const char* const value = std::getenv(name);
    return value != nullptr && *value != '\0' ? std::string(value) : std::string(fallback);
  };
  const auto url = options.url.empty() ? variable("DATABASE_URL", "") : options.url;
  if (url.empty())
    return postgres::Conninfo{{"host", variable("DB_HOST", "localhost")},
                              {"port", variable("DB_PORT", "5432")},
                              {"user", variable("DB_USER", "appuser")},
                              {"password", variable("DB_PASSWORD", "apppass")},
                              {"dbname", variable("DB_NAME", "appdb")}};
  const auto* const source = options.url.empty() ? "DATABASE_URL" : "--database-url";
  if (!url.starts_with("postgresql://") && !url.starts_with("postgres://"))
    return fail(Errc::invalid_argument,
                fmt::format("{} must be postgresql://USER:PASSWORD@HOST:PORT/NAME", source));
  auto conninfo = postgres::parse_conninfo(url);
  if (!conninfo) return fail(Errc::invalid_argument, fmt::format("{}: {}", source, conninfo.error()));
  return std::move(*conninfo);
}

// "appdb at localhost:5432", without anything secret.
std::string name_of(const postgres::Conninfo& conninfo) {
  const auto or_default = [&](std::string_view keyword, std::string_view fallback) {
    const auto value = postgres::value_of(conninfo, keyword);
    return value.empty() ? fallback : value;
  };
  const auto user = postgres::value_of(conninfo, "user");
  return fmt::format("{} at {}:{}", or_default("dbname", user), or_default("host", "the local socket"),
                     or_default("port", "5432"));
}

// What may be done about a failure, and which kind of error it is.
Error explain(const postgres::Failure& failure, const postgres::Conninfo& conninfo) {
  const std::string_view state = failure.sqlstate;
  const auto with = [&](Errc code, std::string_view advice) {
    return Error{code, fmt::format("{}: {}. {}", name_of(conninfo), failure.message, advice), {}};
  };
  if (state.starts_with("28"))
    return with(Errc::unauthorized, "Check DB_USER and DB_PASSWORD, or those in DATABASE_URL");
  if (state.starts_with("3D"))
    return with(Errc::not_found,
                "Make it with CREATE DATABASE, or check DB_NAME or the name in DATABASE_URL");
  if (state == postgres::sqlstate::insufficient_privilege)
    return with(Errc::forbidden,
                "The schema is made by the owner of the database: ALTER DATABASE … OWNER TO …");
  if (failure.is_transient())
    return with(Errc::unavailable,
                "Check that PostgreSQL answers there, and DB_HOST and DB_PORT or those in DATABASE_URL");
  return Error{Errc::internal, fmt::format("{}: {}", name_of(conninfo), failure.message), {}};
}

ExitCode exit_code_of(Kind kind) {
  switch (kind) {
    case Kind::current:
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
    case Kind::newer:
      return "newer";
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

Task<void> with_connection(SystemWorld& world, Output& out, postgres::Conninfo conninfo, Work work,
                           ExitCode& exit_code) {
  const auto refuse = [&](const postgres::Failure& failure) {
    const auto error = explain(failure, conninfo);
    out.error(error.message);
    exit_code = exit_code_for(error.code);
  };
  auto connection = co_await postgres::Connection::open(*world.timers, {.conninfo = conninfo});
  if (!connection) co_return refuse(connection.error());
  const auto done = co_await work(**connection, out, name_of(conninfo));
  if (!done) co_return refuse(done.error());
  exit_code = *done;
}

int run_with_connection(const DbOptions& options, Work work) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that leaves early does not change what is done
  Output out(options.json);
  auto conninfo = read_address(options);
  if (!conninfo) {
    out.error(conninfo.error().message);
    return static_cast<int>(exit_code_for(conninfo.error().code));
  }
  SystemWorld world;
  auto exit_code = ExitCode::failed;
  spawn(world.io.get_executor(), "db", with_connection(world, out, std::move(*conninfo), work, exit_code));
  world.io.run();
  return static_cast<int>(exit_code);
}

void print(Output& out, const std::string& name, const postgres::Migration& migration, bool usable) {
  if (out.json()) {
    json::Writer json;
    json.begin_object().key("database").string(name);
    json.key("state").string(usable ? "current" : word_of(migration.found.kind));
    write_names(json, "applied", migration.applied);
    json.end_object();
    return out.line(json.take());
  }
  for (const auto& file : migration.applied) out.line(fmt::format("applied {}", file));
  if (migration.applied.empty() && usable) out.line(fmt::format("{}: nothing to do", name));
}

Task<postgres::Outcome<ExitCode>> migrate(postgres::Connection& connection, Output& out, std::string name) {
  const auto migration = co_await postgres::migrate(
      connection, [&] { out.note(fmt::format("{}: waiting for another migration to end", name)); });
  if (!migration) co_return postgres::fail_with(migration.error());
  const bool usable = !migration->applied.empty() || migration->found.kind == Kind::current;
  print(out, name, *migration, usable);
  if (usable) co_return ExitCode::ok;
  out.error(fmt::format("{}: {}", name, migration->found.message));
  co_return ExitCode::conflict;
}

void print(Output& out, const std::string& name, const postgres::SchemaState& state) {
  if (!out.json()) return out.line(fmt::format("{}: {}", name, state.message));
  json::Writer json;
  json.begin_object().key("database").string(name).key("state").string(word_of(state.kind));
  write_names(json, "missing", state.missing);
  write_names(json, "unknown", state.unknown);
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
    "The database is that of --database-url, else of DATABASE_URL, else of DB_HOST (localhost), DB_PORT "
    "(5432), "
    "DB_USER (appuser), DB_PASSWORD (apppass) and DB_NAME (appdb).";

void add_command(CLI::App& parent, const char* name, const char* what, const std::string& footer, Work work,
                 int& exit_code) {
  auto* const command = parent.add_subcommand(name, what);
  const auto options = std::make_shared<DbOptions>();
  command->add_option("--database-url", options->url, "postgresql://USER:PASSWORD@HOST:PORT/NAME");
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
      *db, "status", "Show whether the database has this program's schema",
      fmt::format("{}\nEnds with 0 when it has, with 1 when `duragraph db migrate` is to be run, and with 5 "
                  "when it is no database for this program.",
                  where_it_is),
      &show_status, exit_code);
  add_migrate(app, "The same as `db migrate`", exit_code);
}

}  // namespace dg::cli
