#include "store/postgres/advisory_lock.hpp"

#include <utility>

namespace dg::store::postgres {
namespace {

constexpr Duration beat = std::chrono::seconds(1);
constexpr Duration answer_time = std::chrono::seconds(2);
constexpr std::string_view give_up_silent_sessions =
    "SELECT set_config('idle_session_timeout', '3000', false), set_config('tcp_user_timeout', '3000', false)";
constexpr std::string_view select_last = "SELECT instance_id FROM active_instance";
constexpr std::string_view sign_instance =
    "INSERT INTO active_instance (instance_id) VALUES ($1) ON CONFLICT (singleton) DO UPDATE SET instance_id "
    "= "
    "excluded.instance_id";

}  // namespace

AdvisoryLock::AdvisoryLock(Env env, ConnectOptions options, std::string name)
    : env_(env), options_(std::move(options)), name_(std::move(name)) {}

Task<Outcome<bool>> AdvisoryLock::try_take() {
  auto opened = co_await Connection::open(env_.timers, options_);
  if (!opened) co_return fail_with(std::move(opened.error()));
  Pipeline pipeline;
  pipeline.add(give_up_silent_sessions);
  pipeline.add(try_advisory_lock, name_);
  auto results = co_await (*opened)->run(std::move(pipeline));
  if (!results) co_return fail_with(std::move(results.error()));
  auto& rows = results->back();
  const bool taken = rows.next() && rows.flag();
  if (taken) connection_ = std::move(*opened);
  co_return taken;
}

Task<Outcome<std::string>> AdvisoryLock::sign(std::string instance) {
  Pipeline pipeline;
  pipeline.add(select_last);
  pipeline.add(sign_instance, instance);
  auto results = co_await connection_->run(std::move(pipeline));
  if (!results) co_return fail_with(std::move(results.error()));
  auto& last = results->front();
  co_return last.next() ? last.text() : std::string();
}

Task<Failure> AdvisoryLock::keep() {
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
