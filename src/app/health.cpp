#include "app/health.hpp"

namespace dg::app {
namespace {

constexpr Duration counts_for = std::chrono::seconds(1);

}  // namespace

Task<DatabaseHealth> Health::database() {
  auto& timers = context_.env.timers;
  while (asking_) co_await answered_.wait();
  if (last_ && timers.now() - answered_at_ < counts_for) co_return *last_;
  asking_ = true;
  const auto asked = timers.now();
  const auto schema = co_await context_.store.ping();
  answered_at_ = timers.now();
  last_ = DatabaseHealth{schema ? "" : schema.error().message, answered_at_ - asked, schema.value_or(0)};
  asking_ = false;
  answered_.notify_all();
  co_return *last_;
}

}  // namespace dg::app
