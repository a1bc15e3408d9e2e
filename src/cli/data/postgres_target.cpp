#include "cli/data/postgres_target.hpp"

#include <fmt/format.h>

#include <utility>

#include "cli/config/database.hpp"

namespace dg::cli {
namespace {

std::string name_of(const store::postgres::Conninfo& conninfo) {
  const auto or_default = [&](std::string_view keyword, std::string_view fallback) {
    const auto value = store::postgres::value_of(conninfo, keyword);
    return value.empty() ? fallback : value;
  };
  const auto user = store::postgres::value_of(conninfo, "user");
  return fmt::format("{} at {}:{}", or_default("dbname", user), or_default("host", "the local socket"),
                     or_default("port", "5432"));
}

std::string_view advice_for(Errc code, std::string_view if_forbidden) {
  switch (code) {
    case Errc::unauthorized:
      return "Check DB_USER and DB_PASSWORD, or those in DATABASE_URL";
    case Errc::not_found:
      return "Make it with CREATE DATABASE, or check DB_NAME or the name in DATABASE_URL";
    case Errc::forbidden:
      return if_forbidden;
    case Errc::unavailable:
      return "Check that PostgreSQL answers there, as DB_HOST, DB_PORT and DB_SSLMODE or DATABASE_URL say";
    default:
      return {};
  }
}

}  // namespace

Result<PostgresTarget> find_postgres(const SettingSources& sources, Output& out) {
  const auto settings = load_database_settings(sources);
  if (!settings) return fail(settings.error());
  for (const auto& warning : settings->warnings) out.note("warning: " + warning);
  auto conninfo = database_conninfo(*settings);
  if (!conninfo) return fail(conninfo.error());
  auto name = name_of(*conninfo);
  return PostgresTarget{std::move(*conninfo), std::move(name)};
}

Error explain(Error error, std::string_view name, std::string_view if_forbidden) {
  const auto advice = advice_for(error.code, if_forbidden);
  error.message = fmt::format("{}: {}{}{}", name, error.message, advice.empty() ? "" : ". ", advice);
  return error;
}

}  // namespace dg::cli
