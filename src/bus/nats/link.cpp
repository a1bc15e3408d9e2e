#include "bus/nats/link.hpp"

#include <fmt/format.h>
#include <nats/nats.h>

#include <deque>

#include "base/back_off.hpp"

namespace dg::bus::nats {
namespace {

using namespace std::chrono_literals;

// Of one server to answer anything: a connection that takes longer counts as lost.
constexpr std::int64_t patience_ms = 2000;
// How often a connection is tried that nobody uses.
constexpr auto idle_time = 1s;
constexpr BackOff pauses{.first = 200ms, .longest = 2000ms};

// nats.c may call with an inbox after the connection that it was given to has been destroyed, and says for
// subscriptions alone when it is through. So those are kept; closed, they hold nothing.
Inbox* kept(std::shared_ptr<Inbox> inbox) {
  static std::mutex mutex;
  static std::deque<std::shared_ptr<Inbox>> all;
  const std::lock_guard lock(mutex);
  return all.emplace_back(std::move(inbox)).get();
}

struct Subscriber {
  std::shared_ptr<Inbox> inbox;
  std::uint64_t number;
};

void on_message(natsConnection*, natsSubscription*, natsMsg* message, void* closure) {
  const auto& subscriber = *static_cast<Subscriber*>(closure);
  Incoming incoming{.subscription = subscriber.number, .subject = natsMsg_GetSubject(message)};
  const char* status = nullptr;
  if (natsMsgHeader_Get(message, "Status", &status) == NATS_OK) incoming.status = status;
  incoming.data.assign(natsMsg_GetData(message), static_cast<std::size_t>(natsMsg_GetDataLength(message)));
  natsMsg_Destroy(message);
  subscriber.inbox->put(std::move(incoming));
}

void on_complete(void* closure) {
  const std::unique_ptr<Subscriber> done(static_cast<Subscriber*>(closure));
}

void on_error(natsConnection* connection, natsSubscription*, natsStatus status, void* closure) {
  auto& inbox = *static_cast<Inbox*>(closure);
  if (status == NATS_SLOW_CONSUMER) return inbox.put(Missed{});
  const char* what = nullptr;
  natsConnection_GetLastError(connection, &what);
  inbox.put(Trouble{what != nullptr && *what != '\0' ? what : natsStatus_GetText(status)});
}

// nats.c puts the place in its sources, in brackets, before its words.
std::string last_error(natsStatus status) {
  natsStatus last = NATS_OK;
  const char* const text = nats_GetLastError(&last);
  const std::string_view said = text != nullptr && last == status ? text : "";
  const auto place = said.starts_with('(') ? said.find("): ") : said.npos;
  const auto words = place == said.npos ? said : said.substr(place + 3);
  const std::string_view name = natsStatus_GetText(status);
  return words.empty() || words == name ? std::string(name) : fmt::format("{}: {}", name, words);
}

natsStatus set_tls(natsOptions* to, const Options& from) {
  const bool asked =
      std::ranges::any_of(from.urls, [](const auto& url) { return url.starts_with("tls://"); });
  if (!asked && from.tls_ca.empty() && from.tls_cert.empty()) return NATS_OK;
  auto status = natsOptions_SetSecure(to, true);
  if (status == NATS_OK && !from.tls_ca.empty())
    status = natsOptions_LoadCATrustedCertificates(to, from.tls_ca.c_str());
  if (status == NATS_OK && !from.tls_cert.empty())
    status = natsOptions_LoadCertificatesChain(to, from.tls_cert.c_str(), from.tls_key.c_str());
  return status;
}

natsStatus set_user(natsOptions* to, const Options& from) {
  if (!from.credentials.empty())
    return natsOptions_SetUserCredentialsFromFiles(to, from.credentials.c_str(), nullptr);
  if (!from.token.empty()) return natsOptions_SetToken(to, from.token.c_str());
  if (!from.user.empty()) return natsOptions_SetUserInfo(to, from.user.c_str(), from.password.c_str());
  return NATS_OK;
}

natsStatus set_servers(natsOptions* to, const Options& from) {
  std::vector<const char*> urls;
  for (const auto& url : from.urls) urls.push_back(url.c_str());
  return natsOptions_SetServers(to, urls.data(), static_cast<int>(urls.size()));
}

}  // namespace

void Link::FreeOptions::operator()(__natsOptions* options) const {
  natsOptions_Destroy(options);
}

// A lost connection is made anew here and not by nats.c, so that there is one way to come back, which takes
// all subscriptions along and leaves nothing behind that was to go out earlier.
Result<Link::NatsOptions> Link::make_options(const Options& from, Inbox& inbox) {
  natsOptions* made = nullptr;
  if (natsOptions_Create(&made) != NATS_OK) return fail(Errc::internal, "nats.c cannot be used");
  NatsOptions options(made);
  for (const auto set : {set_servers, set_user, set_tls})
    if (const auto status = set(made, from); status != NATS_OK)
      return fail(Errc::invalid_argument,
                  fmt::format("the settings of NATS cannot be used: {}", last_error(status)));
  natsOptions_SetName(made, from.name.c_str());
  natsOptions_SetAllowReconnect(made, false);
  natsOptions_SetTimeout(made, patience_ms);
  natsOptions_SetWriteDeadline(made, patience_ms);
  natsOptions_SetNoEcho(made, true);
  natsOptions_UseGlobalMessageDelivery(made, true);
  natsOptions_SetErrorHandler(made, on_error, &inbox);
  return options;
}

Result<std::unique_ptr<Link>> Link::start(Options options, std::shared_ptr<Inbox> inbox, std::uint64_t seed) {
  auto made = make_options(options, *kept(inbox));
  if (!made) return fail(std::move(made.error()));
  return std::unique_ptr<Link>(new Link(std::move(*made), std::move(inbox), seed));
}

Link::Link(NatsOptions options, std::shared_ptr<Inbox> inbox, std::uint64_t seed)
    : options_(std::move(options)), inbox_(std::move(inbox)), seed_(seed), thread_([this] { run(); }) {}

Link::~Link() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::size_t Link::size_of(const Outgoing& message) {
  std::size_t size = message.subject.size() + message.reply.size() + message.data.size() + sizeof(Order);
  for (const auto& [name, value] : message.headers) size += name.size() + value.size();
  return size;
}

void Link::hand_over(std::vector<Order> orders) {
  {
    const std::lock_guard lock(mutex_);
    for (auto& order : orders) {
      queued_bytes_ += size_of(order.message);
      orders_.push_back(std::move(order));
    }
  }
  changed_.notify_all();
}

void Link::run() {
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) break;
    }
    if (connection_ == nullptr && !connect()) {
      pause();
      continue;
    }
    const auto unsent = unsent_.load();
    for (auto& order : await_orders()) execute(order);
    if (unsent_ != unsent) inbox_->put(Missed{.incoming = false});
    confirm();
  }
  disconnect();
}

bool Link::connect() {
  natsConnection* made = nullptr;
  const auto status = natsConnection_Connect(&made, options_.get());
  if (status != NATS_OK) {
    lose(last_error(status), status == NATS_CONNECTION_AUTH_FAILED);
    return false;
  }
  connection_ = made;
  ++connections_;
  failures_ = 0;
  confirmed_ = 0;
  confirmed_at_ = {};
  for (auto& [number, wanted] : wanted_)
    if (!subscribe(number, wanted)) return false;
  inbox_->put(Connected{static_cast<std::size_t>(natsConnection_GetMaxPayload(made)), connections_});
  return true;
}

void Link::disconnect() {
  if (connection_ == nullptr) return;
  natsConnection_Close(connection_);
  for (auto& [number, wanted] : wanted_) natsSubscription_Destroy(std::exchange(wanted.made, nullptr));
  natsConnection_Destroy(std::exchange(connection_, nullptr));
}

void Link::lose(const std::string& why, bool refused) {
  disconnect();
  ++failures_;
  inbox_->put(Lost{why, refused});
}

void Link::pause() {
  seed_ = seed_ * 6364136223846793005U + 1442695040888963407U;
  const auto time = pause_after(failures_, pauses, seed_ >> 54);
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [this] { return stopping_; });
}

std::vector<Order> Link::await_orders() {
  std::unique_lock lock(mutex_);
  const auto last = confirmed_ < last_ || confirmed_at_ == SteadyTime{} ? 0ms : idle_time;
  changed_.wait_for(lock, last, [this] { return stopping_ || !orders_.empty(); });
  queued_bytes_ = 0;
  return std::exchange(orders_, {});
}

void Link::execute(Order& order) {
  switch (order.kind) {
    case Order::Kind::subscribe: {
      last_ = order.subscription;
      auto& wanted = wanted_[order.subscription];
      wanted.subject = std::move(order.message.subject);
      if (connection_ != nullptr) subscribe(order.subscription, wanted);
      return;
    }
    case Order::Kind::unsubscribe:
      return unsubscribe(order.subscription);
    case Order::Kind::publish:
      const bool is_meant = connection_ != nullptr && order.connection == connections_;
      if (!is_meant || !publish(order.message)) ++unsent_;
  }
}

bool Link::publish(Outgoing& message) {
  const auto size = static_cast<int>(message.data.size());
  if (message.headers.empty()) {
    const auto* const reply = message.reply.empty() ? nullptr : message.reply.c_str();
    const auto status = reply == nullptr ? natsConnection_Publish(connection_, message.subject.c_str(),
                                                                  message.data.data(), size)
                                         : natsConnection_PublishRequest(connection_, message.subject.c_str(),
                                                                         reply, message.data.data(), size);
    return status == NATS_OK;
  }
  natsMsg* made = nullptr;
  if (natsMsg_Create(&made, message.subject.c_str(), message.reply.empty() ? nullptr : message.reply.c_str(),
                     message.data.data(), size) != NATS_OK)
    return false;
  for (const auto& [name, value] : message.headers) natsMsgHeader_Set(made, name.c_str(), value.c_str());
  const auto status = natsConnection_PublishMsg(connection_, made);
  natsMsg_Destroy(made);
  return status == NATS_OK;
}

bool Link::subscribe(std::uint64_t number, Wanted& wanted) {
  auto subscriber = std::make_unique<Subscriber>(inbox_, number);
  const auto status = natsConnection_Subscribe(&wanted.made, connection_, wanted.subject.c_str(), on_message,
                                               subscriber.get());
  if (status != NATS_OK) {
    lose(last_error(status));
    return false;
  }
  natsSubscription_SetPendingLimits(wanted.made, -1, -1);  // the inbox has the bound
  // Where the connection has ended meanwhile, nobody says any more when the subscriber is out of use: it
  // stays.
  natsSubscription_SetOnCompleteCB(wanted.made, on_complete, subscriber.release());
  return true;
}

void Link::unsubscribe(std::uint64_t number) {
  const auto found = wanted_.extract(number);
  if (found.empty() || found.mapped().made == nullptr) return;
  natsSubscription_Unsubscribe(found.mapped().made);
  natsSubscription_Destroy(found.mapped().made);
}

void Link::confirm() {
  if (connection_ == nullptr) return;
  const auto now = [] { return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now()); };
  const auto begin = now();
  if (const auto status = natsConnection_FlushTimeout(connection_, patience_ms); status != NATS_OK) {
    const char* why = nullptr;
    natsConnection_GetLastError(connection_, &why);
    return lose(why != nullptr && *why != '\0' ? why : natsStatus_GetText(status));
  }
  const auto end = now();
  if (confirmed_ == last_ && end - confirmed_at_ < idle_time) return;
  confirmed_ = last_;
  confirmed_at_ = end;
  inbox_->put(Confirmed{last_, end - begin});
}

}  // namespace dg::bus::nats
