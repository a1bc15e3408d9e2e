#include "app/relay.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/event_message.hpp"
#include "base/log.hpp"

namespace dg::app {
namespace {

constexpr const char* published_name = "duragraph_outbox_published_total";
constexpr const char* published_help =
    "Events stored in NATS: for the first time (new), or again because the stream had lost them (replay)";
constexpr Duration shortest_pause = std::chrono::milliseconds(250);

}  // namespace

Relay::Relay(const Env& env, store::Outbox& outbox, bus::EventStream& stream, Metrics& metrics,
             RelaySettings settings)
    : env_(env),
      outbox_(outbox),
      stream_(stream),
      settings_(settings),
      woken_(env.timers),
      published_(metrics.counter(published_name, published_help, {{"kind", "new"}})),
      replayed_(metrics.counter(published_name, published_help, {{"kind", "replay"}})),
      failures_(metrics.counter("duragraph_outbox_failures_total",
                                "Attempts to store events in NATS that failed, and are repeated")),
      rows_(metrics.gauge("duragraph_outbox_rows",
                          "Rows that waited to be published when they were last counted, once a minute")),
      delay_(metrics.histogram("duragraph_outbox_delay_seconds",
                               "From an event's commit until NATS had stored it, the oldest of each batch",
                               {}, {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600})) {}

void Relay::wake() {
  has_work_ = true;
  woken_.notify_all();
}

Task<void> Relay::run(std::string scope) {
  scope_ = std::move(scope);
  auto pause = shortest_pause;
  while (true) {
    has_work_ = false;
    const auto done = co_await step();
    co_await trim();
    if (!done) {
      tell(done.error());
      co_await sleep_for(env_.timers, pause);
      pause = std::min(pause * 2, settings_.longest_pause);
      continue;
    }
    pause = shortest_pause;
    told_.clear();
    if (!done->more) {
      if (!has_work_) co_await woken_.wait_for(settings_.net);
    } else if (done->events > 0 && done->events < settings_.many) {
      co_await sleep_for(env_.timers, settings_.gather);
    }
  }
}

Task<Result<store::Relayed>> Relay::step() {
  if (!stream_.is_reachable()) {
    checked_at_.reset();
    co_return fail(Errc::unavailable, stream_.why_unreachable());
  }
  if (!checked_at_ || env_.timers.now() - *checked_at_ >= settings_.check) {
    if (auto checked = co_await check_stream(); !checked) co_return fail(std::move(checked.error()));
    checked_at_ = env_.timers.now();
  }
  auto relayed = co_await outbox_.relay(
      [this](const std::vector<store::PublishedEvent>& events) { return publish(events, false); });
  // While the stream is being filled again nothing is relayed. Another instance may have begun that.
  if (relayed && !relayed->more && env_.timers.now() >= refill_at_) {
    relayed = co_await outbox_.refill(
        [this](const std::vector<store::PublishedEvent>& events) { return publish(events, true); });
    if (!relayed || !relayed->more) refill_at_ = env_.timers.now() + settings_.net;
  }
  if (relayed) co_return relayed;
  failures_.add();
  checked_at_.reset();  // the stream may be gone
  co_return fail(std::move(relayed.error()));
}

// The stream that was filled may be gone, be another one of the same name, or have lost its end. Then nobody
// relays from before there is a new one until it has what was lost: else later events would come before
// earlier ones.
Task<Status> Relay::check_stream() {
  auto state = co_await outbox_.state();
  if (!state) co_return fail(std::move(state.error()));
  auto there = co_await stream_.look();
  if (!there) co_return fail(std::move(there.error()));
  const auto& known = state->stream;
  std::string lost;
  if (!*there)
    lost = known.id.empty() ? "NATS has no stream of events yet" : "NATS has lost its stream of events";
  else if ((*there)->id != known.id)
    lost = "NATS has another stream of events";
  else if ((*there)->last_sequence < known.last_sequence)
    lost = fmt::format("NATS has lost the newest {} events", known.last_sequence - (*there)->last_sequence);
  if (lost.empty() && made_) co_return Status{};
  if (!lost.empty()) {
    const auto hours = std::chrono::duration_cast<std::chrono::hours>(settings_.retention).count();
    const auto words = fmt::format("{}: those of the last {} hours are published again", lost, hours);
    known.id.empty() ? log::info("{}", words) : log::warn("{}", words);
    auto begun = co_await outbox_.begin_refill(env_.clock.now() - settings_.retention);
    if (!begun) co_return begun;
    refill_at_ = {};
  }
  auto made = co_await stream_.make();
  if (!made) co_return fail(std::move(made.error()));
  made_ = true;
  if (lost.empty()) co_return Status{};
  co_return co_await outbox_.set_stream({made->id, made->last_sequence});
}

Task<void> Relay::trim() {
  if (env_.timers.now() < trim_at_) co_return;
  trim_at_ = env_.timers.now() + settings_.trim;
  const auto rows = co_await outbox_.trim(env_.clock.now() - settings_.retention);
  if (!rows) co_return;
  rows_.set(static_cast<double>(rows->waiting));
  if (rows->dropped)
    log::warn(
        "more than {} changes wait for NATS: the outbox was emptied, and their events are published "
        "from the event tables once NATS is back",
        rows->waiting);
}

Task<Result<std::int64_t>> Relay::publish(const std::vector<store::PublishedEvent>& events, bool replay) {
  std::vector<bus::StreamEvent> messages;
  messages.reserve(events.size());
  auto oldest = env_.clock.now();
  for (const auto& event : events) {
    oldest = std::min(oldest, event.event.at);
    messages.push_back(event_message(event, scope_, stream_.max_data(), replay));
  }
  auto stored = co_await stream_.publish(std::move(messages));
  if (!stored) co_return stored;
  (replay ? replayed_ : published_).add(static_cast<double>(events.size()));
  if (!replay && !events.empty())
    delay_.observe(std::chrono::duration<double>(env_.clock.now() - oldest).count());
  co_return stored;
}

void Relay::tell(const Error& error) {
  if (std::exchange(told_, error.message) == error.message) return;
  log::warn("events cannot be told to NATS, which is tried again until it works: {}", error.message);
}

}  // namespace dg::app
