#include "store/postgres/instance_locks.hpp"

#include <fmt/format.h>

#include <utility>

#include "store/postgres/schema.hpp"

namespace dg::store::postgres {
namespace {

constexpr Duration pause = std::chrono::seconds(1);
constexpr Duration answer_time = std::chrono::seconds(2);
constexpr const char* leader_lock = "duragraph leader";
constexpr std::string_view give_up_silent_sessions =
    "SELECT set_config('idle_session_timeout', '3000', false), set_config('tcp_user_timeout', '3000', false)";
constexpr std::string_view try_shared = "SELECT pg_try_advisory_lock_shared(hashtextextended($1, 0))";
constexpr std::string_view try_schema = "SELECT pg_try_advisory_lock_shared($1::int, $2::int)";
constexpr std::string_view select_time = "SELECT clock_timestamp()";
const std::string try_instance = fmt::format("SELECT pg_try_advisory_lock({})", instance_lock("$1"));

bool first_flag(Rows& rows) {
  return rows.next() && rows.flag();
}

}  // namespace

std::string instance_lock(std::string_view id) {
  return fmt::format("hashtextextended('duragraph instance ' || {}, 0)", id);
}

InstanceLocks::InstanceLocks(Env env, ConnectOptions options, std::string instance, OnTime on_time)
    : env_(env), options_(std::move(options)), instance_(std::move(instance)), on_time_(std::move(on_time)) {}

void InstanceLocks::take_time(Rows& rows, SteadyTime asked) const {
  if (on_time_ && rows.next()) on_time_(rows.time(), asked);
}

Task<Outcome<bool>> InstanceLocks::try_take() {
  connection_.reset();
  auto opened = co_await Connection::open(env_.timers, options_);
  if (!opened) co_return fail_with(std::move(opened.error()));
  Pipeline pipeline;
  pipeline.add(give_up_silent_sessions);
  const auto serving = pipeline.add(try_shared, std::string(serving_lock));
  const auto schema = pipeline.add(try_schema, schema_locks, schema_number());
  const auto own = pipeline.add(try_instance, instance_);
  const auto time = pipeline.add(select_time);
  const auto asked = env_.timers.now();
  auto results = co_await (*opened)->run(std::move(pipeline), time_of_small_questions);
  if (!results) co_return fail_with(std::move(results.error()));
  if (!first_flag((*results)[serving]) || !first_flag((*results)[schema])) co_return false;
  // Only a session of this process that the server has not missed yet can hold it.
  if (!first_flag((*results)[own]))
    co_return fail_with({true, "", "the last session of this instance has not ended yet"});
  take_time((*results)[time], asked);
  connection_ = std::move(*opened);
  co_return true;
}

Task<Outcome<bool>> InstanceLocks::beat(bool leads) {
  Pipeline pipeline;
  if (leads) {
    pipeline.add("SELECT true");
  } else {
    pipeline.add(try_advisory_lock, std::string(leader_lock));
  }
  const auto time = pipeline.add(select_time);
  const auto asked = env_.timers.now();
  auto answer = co_await connection_->run(std::move(pipeline), answer_time);
  if (!answer) co_return fail_with(std::move(answer.error()));
  take_time((*answer)[time], asked);
  co_return first_flag(answer->front());
}

Task<Failure> InstanceLocks::keep(std::function<void(bool)> leads) {
  bool leading = false;
  while (true) {
    auto answer = co_await beat(leading);
    if (!answer) {
      connection_.reset();
      if (leading) leads(false);
      co_return std::move(answer.error());
    }
    if (!leading && *answer) leads(leading = true);
    co_await sleep_for(env_.timers, pause);
  }
}

}  // namespace dg::store::postgres
