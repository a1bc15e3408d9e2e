#include "store/postgres/agreement.hpp"

#include <utility>

namespace dg::store::postgres {
namespace {

constexpr Duration beat = std::chrono::seconds(1);
constexpr Duration answer_time = std::chrono::seconds(2);
// The server ends a session that is silent, so that a holder that was stopped or cut off lets go in seconds.
constexpr std::string_view give_up_silent_sessions =
    "SELECT set_config('idle_session_timeout', '3000', false), set_config('tcp_user_timeout', '3000', false)";
constexpr std::string_view try_alone = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))";
constexpr std::string_view try_shared = "SELECT pg_try_advisory_lock_shared(hashtextextended($1, 0))";
constexpr std::string_view leave_alone = "SELECT pg_advisory_unlock(hashtextextended($1, 0))";
constexpr std::string_view select_fingerprint = "SELECT fingerprint FROM shared_secrets WHERE name = $1";
constexpr std::string_view put_fingerprint =
    "INSERT INTO shared_secrets (name, fingerprint) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET "
    "fingerprint = excluded.fingerprint";

}  // namespace

Agreement::Agreement(Env env, ConnectOptions options, std::string name, std::string fingerprint)
    : env_(env), options_(std::move(options)), name_(std::move(name)), fingerprint_(std::move(fingerprint)) {}

Task<Outcome<bool>> Agreement::ask(Connection& connection, std::string_view sql) {
  auto rows = co_await connection.ask(sql, "duragraph agreement on " + name_);
  if (!rows) co_return fail_with(std::move(rows.error()));
  co_return rows->next() && rows->flag();
}

// The lock is shared before it is let go of alone, so that nobody comes in between.
Task<Outcome<Agreement::Answer>> Agreement::compare(Connection& connection) {
  const auto is_alone = co_await ask(connection, try_alone);
  if (!is_alone) co_return fail_with(is_alone.error());
  const auto is_shared = co_await ask(connection, try_shared);
  if (!is_shared) co_return fail_with(is_shared.error());
  if (!*is_shared) co_return Answer::later;
  auto rows = co_await connection.ask(select_fingerprint, name_);
  if (!rows) co_return fail_with(std::move(rows.error()));
  const bool is_same = rows->next() && rows->text() == fingerprint_;
  if (!*is_alone) co_return is_same ? Answer::held : Answer::differs;
  if (!is_same) {
    auto put = co_await connection.ask(put_fingerprint, name_, fingerprint_);
    if (!put) co_return fail_with(std::move(put.error()));
  }
  const auto left = co_await ask(connection, leave_alone);
  if (!left) co_return fail_with(left.error());
  co_return Answer::held;
}

Task<Outcome<Agreement::Answer>> Agreement::enter() {
  auto opened = co_await Connection::open(env_.timers, options_);
  if (!opened) co_return fail_with(std::move(opened.error()));
  if (auto set = co_await (*opened)->ask(give_up_silent_sessions); !set)
    co_return fail_with(std::move(set.error()));
  const auto answer = co_await compare(**opened);
  if (answer && *answer == Answer::held) connection_ = std::move(*opened);
  co_return answer;
}

Task<Failure> Agreement::keep() {
  while (true) {
    co_await sleep_for(env_.timers, beat);
    Pipeline pipeline;
    pipeline.add("SELECT true");
    auto answer = co_await connection_->run(std::move(pipeline), answer_time);
    if (answer) continue;
    connection_.reset();
    co_return std::move(answer.error());
  }
}

}  // namespace dg::store::postgres
