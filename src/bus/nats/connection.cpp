#include "bus/nats/connection.hpp"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <charconv>
#include <optional>
#include <utility>

#include "base/log.hpp"

namespace dg::bus::nats {

Result<std::unique_ptr<Connection>> Connection::open(const Env& env, Options options, Limits limits) {
  std::unique_ptr<Connection> made(new Connection(env, limits));
  auto* const self = made.get();
  made->inbox_ = std::make_shared<Inbox>(env.timers.executor(), limits.incoming_bytes,
                                         [self](std::vector<Event> events) { self->take(events); });
  auto link = Link::start(std::move(options), made->inbox_, env.random.next());
  if (!link) return fail(std::move(link.error()));
  made->link_ = std::move(*link);
  made->subscribe(made->answers_ + "*", [self](const Incoming& message) { self->take_answer(message); });
  return made;
}

Connection::Connection(const Env& env, Limits limits)
    : env_(env), limits_(limits), answers_(fmt::format("_INBOX.{}.", make_secret(env.random, 12))) {}

Connection::~Connection() {
  alive_.reset();
  inbox_->close();
  for (auto& [number, answered] : std::exchange(questions_, {}))
    answered(fail(Errc::unavailable, "the connection to NATS is closed"));
}

std::uint64_t Connection::subscribe(const std::string& subject, Handler handler) {
  const auto number = ++last_subscription_;
  handlers_.emplace(number, std::make_shared<const Handler>(std::move(handler)));
  add_order({.kind = Order::Kind::subscribe, .subscription = number, .message = {.subject = subject}});
  return number;
}

void Connection::unsubscribe(std::uint64_t subscription) {
  if (handlers_.erase(subscription) > 0)
    add_order({.kind = Order::Kind::unsubscribe, .subscription = subscription});
}

bool Connection::publish(Outgoing message) {
  const auto size = Link::size_of(message);
  if (!connected_ || link_->queued_bytes() + order_bytes_ + size > limits_.outgoing_bytes) {
    ++unsent_;
    if (connected_ && watcher_.missed) watcher_.missed(false);
    return false;
  }
  ++sent_;
  add_order({.message = std::move(message), .connection = connection_});
  return true;
}

std::uint64_t Connection::ask(Outgoing message, Answered answered) {
  const auto question = ++last_question_;
  message.reply = fmt::format("{}{}", answers_, question);
  if (!publish(std::move(message))) return 0;
  questions_.emplace(question, std::move(answered));
  return question;
}

void Connection::forget(std::uint64_t question) {
  questions_.erase(question);
}

Task<Result<Incoming>> Connection::request(Outgoing message, SteadyTime deadline) {
  struct Wait {
    explicit Wait(Timers& timers) : changed(timers) {}
    Signal changed;
    std::optional<Result<Incoming>> answer;
  };
  const auto wait = std::make_shared<Wait>(env_.timers);
  const auto question = ask(std::move(message), [wait](Result<Incoming> answer) {
    wait->answer = std::move(answer);
    wait->changed.notify_all();
  });
  if (question == 0)
    co_return fail(Errc::unavailable, connected_ ? "too much waits to be sent to NATS"
                                                 : fmt::format("NATS is out of reach: {}", why_not_));
  while (!wait->answer)
    if (!co_await wait->changed.wait_until(deadline)) break;
  if (wait->answer) co_return std::move(*wait->answer);
  forget(question);
  co_return fail(Errc::timeout, "NATS did not answer in time");
}

void Connection::add_order(Order order) {
  order_bytes_ += Link::size_of(order.message);
  orders_.push_back(std::move(order));
  if (std::exchange(flushing_, true)) return;
  boost::asio::post(env_.timers.executor(), [this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) flush();
  });
}

void Connection::flush() {
  flushing_ = false;
  order_bytes_ = 0;
  link_->hand_over(std::exchange(orders_, {}));
}

void Connection::take(const std::vector<Event>& events) {
  const auto alive = std::weak_ptr(alive_);
  ++delivery_;
  for (const auto& event : events) {
    std::visit([this](const auto& one) { take(one); }, event);
    if (alive.expired()) return;
  }
}

void Connection::take(const Incoming& message) {
  ++received_;
  const auto found = handlers_.find(message.subscription);
  if (found == handlers_.end()) return;
  const auto handler = found->second;  // which may end its subscription
  (*handler)(message);
}

void Connection::take_answer(const Incoming& message) {
  const std::string_view text(message.subject);
  std::uint64_t question = 0;
  const auto digits = text.substr(std::min(answers_.size(), text.size()));
  std::from_chars(digits.data(), digits.data() + digits.size(), question);
  if (auto found = questions_.extract(question)) found.mapped()(message);
}

void Connection::take(const Connected& event) {
  max_payload_ = event.max_payload;
  connection_ = event.number;
  connected_ = true;
  refused_ = false;
  why_not_.clear();
  log::info("connected to NATS{}", connections_++ == 0 ? "" : " again");
  if (watcher_.connected) watcher_.connected();
}

void Connection::take(const Lost& event) {
  if (std::exchange(connected_, false) || why_not_ != event.why)
    log::warn("NATS cannot be used, which is tried again until it works: {}", event.why);
  why_not_ = event.why;
  refused_ = event.refused;
  if (watcher_.lost) watcher_.lost();
  const auto alive = std::weak_ptr(alive_);
  for (auto& [question, answered] : std::exchange(questions_, {})) {
    answered(fail(Errc::unavailable, fmt::format("the connection to NATS was lost: {}", event.why)));
    if (alive.expired()) return;
  }
}

void Connection::take(const Confirmed& event) {
  round_trip_ = event.round_trip;
  if (watcher_.confirmed) watcher_.confirmed(event.up_to);
}

void Connection::take(const Missed& event) {
  if (watcher_.missed) watcher_.missed(event.incoming);
}

void Connection::take(const Trouble& event) {
  if (std::exchange(trouble_, event.what) != event.what) log::warn("NATS: {}", event.what);
}

Load Connection::load() const {
  return {.connected = connected_,
          .connections = connections_,
          .sent = sent_,
          .received = received_,
          .unsent = unsent_ + link_->unsent(),
          .dropped = inbox_->dropped(),
          .subscriptions = handlers_.size(),
          .queued_bytes = link_->queued_bytes() + order_bytes_,
          .max_queued_bytes = limits_.outgoing_bytes};
}

void show_load(Metrics& metrics, const Connection& connection) {
  const auto gauge = [&](const char* name, const char* help, auto member) {
    metrics.gauge_callback(name, help, {},
                           [&connection, member] { return static_cast<double>(connection.load().*member); });
  };
  const auto total = [&](const char* name, const char* help, const Labels& labels, auto member) {
    metrics.counter_callback(
        name, help, labels, [&connection, member] { return static_cast<double>(connection.load().*member); });
  };
  gauge("duragraph_nats_connected", "1: there is a connection to NATS", &Load::connected);
  gauge("duragraph_nats_subscriptions", "Subjects that this instance listens to", &Load::subscriptions);
  gauge("duragraph_nats_queued_bytes", "Bytes that wait to be sent to NATS", &Load::queued_bytes);
  gauge("duragraph_nats_queued_bytes_max", "More are dropped", &Load::max_queued_bytes);
  total("duragraph_nats_connections_total", "Connections made to NATS; the first is one", {},
        &Load::connections);
  const auto* const messages = "duragraph_nats_messages_total";
  const auto* const messages_help = "Messages to NATS (out) and from it (in)";
  total(messages, messages_help, {{"direction", "out"}}, &Load::sent);
  total(messages, messages_help, {{"direction", "in"}}, &Load::received);
  const auto* const dropped = "duragraph_nats_dropped_total";
  const auto* const dropped_help =
      "Messages dropped for want of a connection or of room; then everybody is woken";
  total(dropped, dropped_help, {{"direction", "out"}}, &Load::unsent);
  total(dropped, dropped_help, {{"direction", "in"}}, &Load::dropped);
}

}  // namespace dg::bus::nats
