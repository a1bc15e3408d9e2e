#include "store/postgres/pooler.hpp"

namespace dg::store::postgres {
namespace {

constexpr std::string_view mark = "SELECT set_config('duragraph.session', $1, false)";
constexpr std::string_view unmark = "SELECT set_config('duragraph.session', '', false)";
constexpr std::string_view read_mark = "SELECT coalesce(current_setting('duragraph.session', true), '')";

Task<Outcome<std::string>> mark_of(Connection& connection) {
  auto rows = co_await connection.query(read_mark);
  if (!rows) co_return fail_with(std::move(rows.error()));
  co_return rows->next() ? rows->text() : std::string();
}

// One session is marked. Where another one has its mark then, or it has lost it, sessions are shared: a
// pooler hands out first what it got back last.
Task<Outcome<bool>> have_one_session(Connection& one, Connection& other, std::string name) {
  if (auto marked = co_await one.query(mark, name); !marked) co_return fail_with(std::move(marked.error()));
  const auto seen_by_other = co_await mark_of(other);
  if (!seen_by_other) co_return fail_with(seen_by_other.error());
  const auto seen_by_one = co_await mark_of(one);
  if (!seen_by_one) co_return fail_with(seen_by_one.error());
  const bool shared = *seen_by_other == name || *seen_by_one != name;
  if (shared) co_await one.query(unmark);
  co_return shared;
}

// A statement that one session has prepared is another's.
bool is_anothers_statement(const Failure& failure) {
  constexpr std::string_view exists = "42P05", exists_not = "26000";
  return failure.sqlstate == exists || failure.sqlstate == exists_not;
}

}  // namespace

Task<Outcome<bool>> is_behind_pooler(Env env, ConnectOptions options) {
  auto one = co_await Connection::open(env.timers, options);
  if (!one && is_anothers_statement(one.error())) co_return true;
  if (!one) co_return fail_with(std::move(one.error()));
  auto other = co_await Connection::open(env.timers, options);
  if (!other && is_anothers_statement(other.error())) co_return true;
  if (!other) co_return fail_with(std::move(other.error()));
  auto shared = co_await have_one_session(**one, **other, make_uuid7(env));
  if (!shared && is_anothers_statement(shared.error())) co_return true;
  co_return shared;
}

}  // namespace dg::store::postgres
