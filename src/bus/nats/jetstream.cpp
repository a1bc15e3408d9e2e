#include "bus/nats/jetstream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "bus/nats/wire.hpp"

namespace dg::bus::nats {
namespace {

using namespace std::chrono_literals;

// Of the server, to answer one question; and to store what is published.
constexpr Duration patience = 5s;
// Messages under way at a time.
constexpr std::size_t window = 512;
constexpr auto duplicate_window = std::chrono::minutes(2);
// What headers take of the largest message, at most.
constexpr std::size_t room_for_headers = 16 * 1024;

constexpr std::int64_t no_such_stream = 404;
constexpr std::int64_t not_enabled_for_account = 10039;
constexpr std::string_view nobody_answers = "503";

constexpr const char* no_jetstream =
    "NATS keeps no streams: JetStream is not enabled. Start nats-server with --jetstream (in its "
    "configuration: `jetstream {}`), and enable JetStream for the account of this connection";

std::int64_t whole(json::View from, std::string_view member) {
  return from[member].integer().value_or(0);
}

// What JetStream answers with an error says.
Error error_of(json::View answer) {
  const auto error = answer["error"];
  const auto words = error["description"].string();
  if (whole(error, "err_code") == not_enabled_for_account) return {Errc::forbidden, no_jetstream, {}};
  if (whole(error, "code") == no_such_stream) return {Errc::not_found, fmt::format("NATS: {}", words), {}};
  if (whole(error, "code") == 400)
    return {Errc::invalid_argument, fmt::format("NATS refuses the stream: {}", words), {}};
  return {Errc::unavailable, fmt::format("NATS: {}", words), {}};
}

Result<std::string> read_answer(Result<Incoming> answer) {
  if (!answer) return fail(std::move(answer.error()));
  if (answer->status == nobody_answers) return fail(Errc::not_found, "NATS has no stream that takes it");
  if (!json::validate(answer->data, json::worker_rules))
    return fail(Errc::internal, "NATS answered what is no JSON");
  if (json::View(answer->data)["error"].is_object()) return fail(error_of(json::View(answer->data)));
  return std::move(answer->data);
}

StreamInfo info_of(json::View answer) {
  return {answer["created"].string(), whole(answer["state"], "last_seq")};
}

// Messages of one call: of each key one at a time, so that none is stored before the one ahead of it.
class Publication : public std::enable_shared_from_this<Publication> {
 public:
  using Send = std::function<std::uint64_t(StreamEvent&, Connection::Answered)>;
  Publication(Connection& connection, Timers& timers, std::vector<StreamEvent> events, Send send)
      : connection_(connection), changed_(timers), send_(std::move(send)), left_(events.size()) {
    std::unordered_map<std::string_view, std::size_t> last_of;
    messages_.reserve(events.size());
    for (auto& event : events) {
      const auto place = messages_.size();
      const auto& message = messages_.emplace_back(std::move(event));
      const auto [last, is_first] = last_of.try_emplace(message.event.key, place);
      if (is_first)
        ready_.push_back(place);
      else
        messages_[std::exchange(last->second, place)].next = place;
    }
  }

  Task<Result<std::int64_t>> run(SteadyTime deadline) {
    send_ready();
    while (left_ > 0 && !error_)
      if (!co_await changed_.wait_until(deadline))
        error_ = Error{Errc::timeout, "NATS did not store events in time", {}};
    for (const auto& message : messages_)
      if (message.question != 0) connection_.forget(message.question);
    if (error_) co_return fail(std::move(*error_));
    co_return last_;
  }

 private:
  struct Message {
    explicit Message(StreamEvent from) : event(std::move(from)) {}
    StreamEvent event;
    std::size_t next = 0;        // of the same key; 0: none
    std::uint64_t question = 0;  // while it is under way
  };

  void send_ready() {
    while (!error_ && !ready_.empty() && under_way_ < window) {
      const auto place = ready_.front();
      ready_.pop_front();
      send(place);
    }
  }
  void send(std::size_t place) {
    auto& message = messages_[place];
    message.question = send_(message.event, [self = weak_from_this(), place](Result<Incoming> answer) {
      if (const auto publication = self.lock()) publication->take(place, read_answer(std::move(answer)));
    });
    if (message.question == 0)
      error_ = Error{Errc::unavailable, "NATS is out of reach", {}};
    else
      ++under_way_;
  }
  void take(std::size_t place, Result<std::string> answer) {
    auto& message = messages_[place];
    message.question = 0;
    --under_way_;
    if (!answer) {
      error_ = std::move(answer.error());
    } else {
      last_ = std::max(last_, whole(json::View(*answer), "seq"));
      --left_;
      if (message.next != 0) ready_.push_back(message.next);
      send_ready();
    }
    if (left_ == 0 || error_) changed_.notify_all();
  }

  Connection& connection_;
  Signal changed_;
  Send send_;
  std::vector<Message> messages_;
  std::deque<std::size_t> ready_;  // of keys of which nothing is under way
  std::size_t under_way_ = 0;
  std::size_t left_;
  std::int64_t last_ = 0;
  std::optional<Error> error_;
};

class JetStream final : public EventStream {
 public:
  JetStream(const Env& env, Connection& connection, StreamSettings settings)
      : env_(env), connection_(connection), settings_(settings) {}

  void begin(const std::string& scope) override { scope_ = scope; }
  bool is_reachable() const override { return connection_.is_connected(); }
  std::string why_unreachable() const override { return connection_.why_not_connected(); }
  std::size_t max_data() const override {
    return std::max(connection_.max_payload(), 2 * room_for_headers) - room_for_headers;
  }

  Task<Status> can_keep_streams() override {
    auto answer = co_await connection_.request({.subject = "$JS.API.INFO"}, deadline());
    if (answer && answer->status == nobody_answers) co_return fail(Errc::forbidden, no_jetstream);
    auto read = read_answer(std::move(answer));
    if (!read) co_return fail(std::move(read.error()));
    co_return Status{};
  }

  Task<Result<std::optional<StreamInfo>>> look() override {
    auto answer = co_await ask("STREAM.INFO", "");
    if (!answer && answer.error().code == Errc::not_found) co_return std::nullopt;
    if (!answer) co_return fail(std::move(answer.error()));
    co_return info_of(json::View(*answer));
  }

  Task<Result<StreamInfo>> make() override {
    const auto there = co_await look();
    if (!there) co_return fail(there.error());
    auto answer = co_await ask(*there ? "STREAM.UPDATE" : "STREAM.CREATE", configuration());
    if (!answer) co_return fail(std::move(answer.error()));
    co_return info_of(json::View(*answer));
  }

  Task<Result<std::int64_t>> publish(std::vector<StreamEvent> events) override {
    const auto publication =
        std::make_shared<Publication>(connection_, env_.timers, std::move(events),
                                      [this](StreamEvent& event, Connection::Answered answered) {
                                        return connection_.ask(message_of(event), std::move(answered));
                                      });
    co_return co_await publication->run(deadline());
  }

 private:
  SteadyTime deadline() const { return env_.timers.now() + patience; }

  Task<Result<std::string>> ask(std::string_view what, std::string body) {
    co_return read_answer(co_await connection_.request(
        {.subject = fmt::format("$JS.API.{}.{}", what, stream_name(scope_)), .data = std::move(body)},
        deadline()));
  }

  Outgoing message_of(StreamEvent& event) const {
    Outgoing message{.subject = fmt::format("duragraph.events.{}", scope_), .data = std::move(event.data)};
    for (const auto& word : event.subject) message.subject += "." + token_of(word);
    message.headers = std::move(event.headers);
    message.headers.emplace_back("Nats-Msg-Id", std::move(event.message_id));
    message.headers.emplace_back("Nats-Expected-Stream", stream_name(scope_));
    return message;
  }

  std::string configuration() const {
    const auto nanoseconds = [](auto time) { return std::chrono::nanoseconds(time).count(); };
    json::Writer out;
    out.begin_object().key("name").string(stream_name(scope_));
    out.key("description").string("What happened in DuraGraph, for whoever wants to know");
    out.key("subjects").begin_array().string(fmt::format("duragraph.events.{}.>", scope_)).end_array();
    out.key("retention").string("limits").key("storage").string("file").key("discard").string("old");
    out.key("max_age").integer(nanoseconds(settings_.max_age));
    out.key("max_bytes").integer(settings_.max_bytes);
    out.key("num_replicas").integer(settings_.replicas);
    out.key("duplicate_window")
        .integer(std::min(nanoseconds(duplicate_window), nanoseconds(settings_.max_age)));
    out.key("max_consumers").integer(-1).key("max_msgs").integer(-1).key("max_msg_size").integer(-1);
    return out.end_object().take();
  }

  Env env_;
  Connection& connection_;
  StreamSettings settings_;
  std::string scope_;
};

}  // namespace

std::string stream_name(const std::string& scope) {
  return "duragraph-events-" + scope;
}

std::unique_ptr<EventStream> make_jetstream(const Env& env, Connection& connection, StreamSettings settings) {
  return std::make_unique<JetStream>(env, connection, settings);
}

}  // namespace dg::bus::nats
