#include "simulation/world/broker.hpp"

#include <boost/asio/post.hpp>

namespace dg::simulation {
namespace {

constexpr Duration net = seconds(1);  // between wake-ups while there is no connection

}  // namespace

const Broker::Member::Message Broker::Member::missed{bus::Topic::sessions, "", "", true};

std::unique_ptr<Broker::Member> Broker::join(Timers& timers) {
  return std::make_unique<Member>(*this, timers);
}

void Broker::set_away(bool away) {
  stage_.trace("the broker is {}", away ? "away" : "back");
  away_ = away;
  for (auto* member : members_) member->changed();
}

Broker::Member::Member(Broker& broker, Timers& timers)
    : broker_(broker), timers_(timers), number_(++broker.joined_) {
  broker_.members_.push_back(this);
  changed();
  tick();
}

Broker::Member::~Member() {
  std::erase(broker_.members_, this);
}

void Broker::Member::cut(bool is_cut) {
  cut_ = is_cut;
  changed();
}

void Broker::Member::changed() {
  const bool possible = !cut_ && !broker_.away_;
  if (connected_ && !possible) {
    connected_ = false;
    ++connections_;
    held_.clear();
  } else if (!connected_ && possible) {
    later(broker_.network_.arrival() + broker_.stage_.instances.between(Duration(100), milliseconds(900)),
          [this] { connect(); });
  }
}

void Broker::Member::connect() {
  if (connected_ || cut_ || broker_.away_) return;
  connected_ = true;
  ++connections_;
  for (const auto& key : listeners_.keys()) held_.insert(key);
  if (!broker_.wakes) return;
  tell_others(missed);
  listeners_.wake_all();
}

void Broker::Member::later(SteadyTime when, std::function<void()> fn) {
  broker_.stage_.after(when - broker_.stage_.now(),
                       [this, alive = std::weak_ptr(alive_), fn = std::move(fn), connection = connections_] {
                         if (alive.expired() || connection != connections_) return;
                         boost::asio::post(timers_.executor(), [alive, fn] {
                           if (!alive.expired()) fn();
                         });
                       });
}

void Broker::Member::tell_others(const Message& message) {
  if (!connected_) return;
  auto& stage = broker_.stage_;
  for (auto* other : broker_.members_) {
    if (other == this || !other->connected_) continue;
    auto& last = other->last_[number_];
    last = std::max(last, broker_.network_.arrival());
    // What somebody does not keep up with is dropped, and he is told.
    const bool dropped = !message.body.empty() && stage.instances.percent(3);
    other->later(last, [other, message = dropped ? missed : message] { other->hear(message); });
    // A wake-up may come twice.
    if (message.body.empty() && stage.instances.percent(3))
      other->later(last + stage.instances.between(Duration(0), milliseconds(20)),
                   [other, message] { other->hear(message); });
  }
}

void Broker::Member::hear(const Message& message) {
  if (message.to_all_listeners) return listeners_.wake_all();
  const auto alive = std::weak_ptr(alive_);
  const Key all{message.topic, ""}, one{message.topic, message.id};
  if (!message.id.empty() && held_.contains(one)) listeners_.call_key(one, message.id, message.body);
  if (!alive.expired() && held_.contains(all)) listeners_.call_key(all, message.id, message.body);
}

void Broker::Member::publish(bus::Topic topic, const std::string& id) {
  tell_others({topic, id, ""});
  listeners_.call(topic, id, "");
}

void Broker::Member::send(bus::Topic topic, const std::string& id, std::string body) {
  tell_others({topic, id, std::move(body)});
}

bus::Subscription Broker::Member::subscribe(bus::Topic topic, std::string id, Listener listener) {
  Key key{topic, id};
  auto subscription = listeners_.add(topic, std::move(id), std::move(listener),
                                     [this, alive = std::weak_ptr(alive_)](const Key& gone) {
                                       if (!alive.expired()) held_.erase(gone);
                                     });
  // One that is lost meanwhile holds with the next connection.
  if (connected_)
    later(broker_.network_.arrival(), [this, key] {
      if (listeners_.has(key)) held_.insert(key);
      if (broker_.wakes) later(broker_.network_.arrival(), [this, key] { listeners_.wake(key); });
    });
  return subscription;
}

void Broker::Member::tick() {
  timers_.call_at(timers_.now() + net, [this, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    if (!connected_ && broker_.wakes) listeners_.wake_all();
    if (!alive.expired()) tick();
  });
}

}  // namespace dg::simulation
