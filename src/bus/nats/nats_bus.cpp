#include "bus/nats/nats_bus.hpp"

#include <boost/asio/post.hpp>
#include <utility>

#include "base/log.hpp"

namespace dg::bus::nats {

NatsBus::NatsBus(const Env& env, Connection& connection, BusLimits limits)
    : env_(env),
      connection_(connection),
      limits_(limits),
      sender_(env.random.next()),
      assembler_({limits.message, limits.gathered, limits.part_time}) {
  connection_.watch({
      .connected =
          [this] {
            back_ = true;
            tell_missed();
          },
      .lost = [this] { assembler_.clear(); },
      .missed = [this](bool incoming) { take_missed(incoming); },
      .confirmed = [this](std::uint64_t up_to) { take_confirmed(up_to); },
  });
  timer_ = env_.timers.call_at(env_.timers.now() + limits_.net, [this] { tick(); });
}

NatsBus::~NatsBus() {
  connection_.watch({});
  env_.timers.cancel(timer_);
  for (const auto& [key, subscription] : held_) connection_.unsubscribe(subscription);
}

void NatsBus::begin(const std::string& scope) {
  if (!scope_.empty()) return;
  scope_ = scope;
  connection_.subscribe(missed_subject(scope_), [this, alive = std::weak_ptr(alive_)](const Incoming&) {
    if (!alive.expired()) wake_everybody();
  });
  for (const auto& key : listeners_.keys()) listen(key);
  tell_missed();
}

bool NatsBus::is_open() const {
  return connection_.is_connected() && !scope_.empty();
}

void NatsBus::publish(Topic topic, const std::string& id) {
  if (is_open() && published_.emplace(topic, id).second) {
    write(topic, id, "");
    if (!std::exchange(turn_ends_, true))
      boost::asio::post(env_.timers.executor(), [this, alive = std::weak_ptr(alive_)] {
        if (alive.expired()) return;
        turn_ends_ = false;
        published_.clear();
      });
  }
  listeners_.call(topic, id, "");
}

void NatsBus::send(Topic topic, const std::string& id, std::string body) {
  if (!is_open()) return;
  if (body.size() > limits_.message) {
    ++refused_;
    log::error("a message of {} bytes is too large to be sent to other instances: the bound is {}",
               body.size(), limits_.message);
    return;
  }
  published_.erase({topic, id});
  write(topic, id, body);
}

void NatsBus::write(Topic topic, const std::string& id, std::string_view body) {
  const auto subject = subject_of(scope_, topic, id);
  for (auto& payload : split(id, sender_, ++last_message_, body, connection_.max_payload()))
    if (!connection_.publish({.subject = subject, .data = std::move(payload)})) return;
}

Subscription NatsBus::subscribe(Topic topic, std::string id, Listener listener) {
  const Key key{topic, id};
  auto subscription = listeners_.add(topic, std::move(id), std::move(listener),
                                     [this](const Key& gone) { stop_listening(gone); });
  if (scope_.empty()) return subscription;
  if (!held_.contains(key))
    listen(key);
  else
    wake_later(key);
  return subscription;
}

void NatsBus::listen(const Key& key) {
  const auto subject =
      key.second.empty() ? subject_of_all(scope_, key.first) : subject_of(scope_, key.first, key.second);
  // Nothing is called before the loop's next turn, when the number is known.
  const auto number = std::make_shared<std::uint64_t>(0);
  *number = connection_.subscribe(
      subject, [this, key, number](const Incoming& message) { take(key, *number, message); });
  held_[key] = *number;
  waiting_.push_back({*number, key});
}

// A further listener of what is held, or will be soon, already.
void NatsBus::wake_later(const Key& key) {
  const auto number = held_.at(key);
  if (!waiting_.empty() && waiting_.front().subscription <= number) return;
  boost::asio::post(env_.timers.executor(), [this, key, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) listeners_.wake(key);
  });
}

void NatsBus::stop_listening(const Key& key) {
  const auto held = held_.extract(key);
  if (held.empty()) return;
  connection_.unsubscribe(held.mapped());
  assembler_.forget(held.mapped());
}

void NatsBus::take(const Key& key, std::uint64_t subscription, const Incoming& message) {
  const auto part = decode(message.data);
  if (!part || (!key.second.empty() && part->id != key.second)) return;
  if (is_repeated(key, *part)) return;
  const auto body = assembler_.add(subscription, *part, env_.timers.now());
  if (body) listeners_.call_key(key, part->id, *body);
}

// All messages of one delivery were received before the first of them was handed over: what a wake-up tells
// of can be read since the first one, unless a message of the same sender lies in between.
bool NatsBus::is_repeated(const Key& key, const Part& part) {
  if (delivery_ != connection_.delivery()) woken_.clear();
  delivery_ = connection_.delivery();
  const bool is_wake_up = part.count == 1 && part.body.empty();
  if (is_wake_up) return !woken_.emplace(key, part.id).second;
  woken_.erase({key, part.id});
  return false;
}

void NatsBus::take_confirmed(std::uint64_t up_to) {
  const auto alive = std::weak_ptr(alive_);
  if (std::exchange(back_, false)) {
    std::erase_if(waiting_, [up_to](const Waiting& one) { return one.subscription <= up_to; });
    return listeners_.wake_all();
  }
  while (!waiting_.empty() && waiting_.front().subscription <= up_to) {
    const auto one = std::move(waiting_.front());
    waiting_.pop_front();
    const auto held = held_.find(one.key);
    if (held != held_.end() && held->second == one.subscription) listeners_.wake(one.key);
    if (alive.expired()) return;
  }
}

void NatsBus::take_missed(bool incoming) {
  if (incoming) return wake_everybody();
  owes_missed_ = true;
}

// Once for all that is heard together.
void NatsBus::wake_everybody() {
  if (std::exchange(all_woken_, connection_.delivery()) != connection_.delivery()) listeners_.wake_all();
}

void NatsBus::tell_missed() {
  owes_missed_ = is_open() && !connection_.publish({.subject = missed_subject(scope_)});
}

void NatsBus::tick() {
  timer_ = env_.timers.call_at(env_.timers.now() + limits_.net, [this] { tick(); });
  assembler_.expire(env_.timers.now());
  if (owes_missed_) tell_missed();
  if (!is_open()) listeners_.wake_all();
}

void show_load(Metrics& metrics, const NatsBus& bus) {
  metrics.counter_callback("duragraph_bus_messages_refused_total",
                           "Messages between instances that were too large, or lost a part", {},
                           [&bus] { return static_cast<double>(bus.messages_dropped()); });
}

}  // namespace dg::bus::nats
