#include "api/worker/endpoint.hpp"

#include <boost/asio/post.hpp>
#include <utility>

#include "api/errors.hpp"
#include "api/worker/reads.hpp"
#include "api/worker/wire.hpp"
#include "base/log.hpp"

namespace dg::api::worker {
namespace {

using json::View;
using json::Writer;

constexpr std::int64_t protocol_version = 1;
constexpr std::size_t shared_bytes_max = std::size_t{256} << 10;

// What lets a worker in.
struct Gate {
  const std::string& token;
  RequestLimit* limit;
  Identify identify;
};

bool shows_token(const net::Request& request, const std::string& token) {
  const auto header = request.header("Authorization").value_or("");
  constexpr std::string_view scheme = "Bearer ";
  return !token.empty() && header.starts_with(scheme) && equal_secrets(header.substr(scheme.size()), token);
}

Task<Status> check_worker(const net::Request& request, const Gate& gate) {
  if (request.header("Origin"))
    co_return fail(Errc::forbidden, "a worker is no web page: a request with an Origin is refused");
  if (shows_token(request, gate.token)) co_return Status{};
  if (gate.token.empty() && !gate.identify)
    co_return fail(Errc::forbidden, "this server takes no workers; start it with DURAGRAPH_WORKER_TOKEN set");
  if (gate.identify) {
    const auto who = co_await gate.identify(request);
    if (!who && who.error().code != Errc::unauthorized) co_return fail(who.error());
    if (who && (who->role == auth::Role::worker || who->role == auth::Role::admin)) co_return Status{};
    if (who)
      co_return fail(Errc::forbidden, "the role " + std::string(to_string(who->role)) +
                                          " may not execute runs; a worker needs the role worker");
  }
  co_return fail(Errc::unauthorized,
                 "the worker token is missing or wrong; `duragraph dev` leaves it in "
                 "DIR/.duragraph/worker-token, elsewhere set DURAGRAPH_WORKER_TOKEN");
}

Task<std::optional<net::Response>> pass_gate(const net::Request& request, const app::App& app,
                                             const Gate& gate) {
  auto* const limit = gate.limit;
  auto allowed = co_await check_worker(request, gate);
  if (const auto& reason = app.health.why_not_ready(); allowed && !reason.empty())
    allowed = fail(Errc::unavailable, reason);
  std::optional<net::Response> refused;
  if (!allowed) refused = error_response(request, allowed.error());
  if (limit == nullptr) co_return refused;
  const auto charge = allowed ? limit->charge_worker(request) : limit->charge(request);
  if (charge.refused) co_return limit->refusal(request, charge);
  if (refused) describe(*refused, charge);
  co_return refused;
}

// A worker's connection. Others hold it as a WorkerLink for longer than the socket lives. What is sent
// in one turn of the loop, such as what follows a commit, shares a message, with acknowledgements first;
// these are small, and are not counted.
class Link final : public app::WorkerLink, public std::enable_shared_from_this<Link> {
 public:
  Link(net::WebSocket& socket, Executor executor, bool traced)
      : socket_(&socket), executor_(std::move(executor)), traced_(traced) {}
  void send(app::ToWorker message) override {
    if (socket_ == nullptr) return;
    auto* ack = std::get_if<app::Ack>(&message);
    if (ack == nullptr) return send_raw(encode(message, traced_));
    acks_.push_back(std::move(*ack));
    flush_soon();
  }
  void close(std::uint16_t code, std::string reason) override {
    flush();
    if (socket_ != nullptr) socket_->close(code, reason);
  }
  void send_raw(net::WsMessage message) {
    if (socket_ == nullptr) return;
    if (bytes_ + message.data.size() > shared_bytes_max) flush();
    bytes_ += message.data.size();
    waiting_.push_back(std::move(message));
    flush_soon();
  }
  void detach() { socket_ = nullptr; }

 private:
  void flush_soon() {
    if (std::exchange(is_to_flush_, true)) return;
    boost::asio::post(executor_, [self = shared_from_this()] { self->flush(); });
  }
  void flush() {
    is_to_flush_ = false;
    auto messages = std::exchange(waiting_, {});
    bytes_ = 0;
    const auto acks = std::exchange(acks_, {});
    if (!acks.empty()) messages.insert(messages.begin(), encode(acks));
    if (socket_ != nullptr && !messages.empty()) socket_->send(join(std::move(messages)));
  }

  net::WebSocket* socket_;
  Executor executor_;
  bool traced_;
  std::vector<app::Ack> acks_;
  std::vector<net::WsMessage> waiting_;
  std::size_t bytes_ = 0;
  bool is_to_flush_ = false;
};

std::uint16_t close_code(Errc code) {
  switch (code) {
    case Errc::forbidden:
      return 4403;
    case Errc::superseded:
      return 4409;
    case Errc::bad_request:
    case Errc::invalid_argument:
      return 4400;
    default:
      return 1001;
  }
}

std::string_view state_name(app::OwnedAnswer::State state) {
  switch (state) {
    case app::OwnedAnswer::State::live:
      return "live";
    case app::OwnedAnswer::State::cancel:
      return "cancel";
    case app::OwnedAnswer::State::superseded:
      return "superseded";
  }
  return "";
}

void write_welcome(Writer& out, const app::Context& context) {
  out.begin_object().key("type").string("welcome").key("instance").string(context.instance);
  out.key("version").string(context.version);
  out.key("heartbeat_ms").integer(context.settings.heartbeat.count() / 1000);
  out.key("lease_ms").integer(context.settings.lease.count() / 1000);
}

net::WsMessage welcome_message(const app::Context& context, const std::string& session,
                               const app::Workers::Welcome& welcome) {
  Writer out;
  write_welcome(out, context);
  out.key("session").string(session).key("owned").begin_array();
  for (const auto& owned : welcome.owned) {
    out.begin_object().key("owner").string(owned.owner).key("epoch").integer(owned.epoch);
    out.key("applied_n").integer(owned.applied_n).key("state").string(state_name(owned.state));
    if (owned.state == app::OwnedAnswer::State::cancel)
      out.key("action").string(domain::to_string(owned.action));
    out.end_object();
  }
  out.end_array().end_object();
  return {false, out.take()};
}

Task<void> answer_later(app::App& app, std::shared_ptr<const Incoming> in, std::string session,
                        std::shared_ptr<Link> link) {
  auto message = co_await answer(app, std::move(in), std::move(session));
  link->send_raw(std::move(message));
}

Result<std::string> reply_result(View in) {
  const View error = in["error"];
  if (!error.is_object()) return std::string(in["result"].raw());
  Error refusal{error_from(error["code"].string()), error["message"].string()};
  if (auto place = error["place"].string(); !place.empty())
    refusal.fields.push_back({std::move(place), refusal.message});
  return fail(std::move(refusal));
}

// One message of a registered worker. An error breaks the protocol.
Status handle(app::App& app, const Incoming& in, const std::string& session,
              const std::shared_ptr<Link>& link) {
  const View object = in.object;
  const auto type = object["type"].string();
  const bool owned = object["n"].is_number() && type != "end";
  if (type == "beat") {
    app.workers.beat(session);
  } else if (type == "slots") {
    app.workers.set_slots(session, object["slots"].integer().value_or(0),
                          object["draining"].boolean().value_or(false));
  } else if (type == "reply") {
    app.workers.replied(object["id"].integer().value_or(0), reply_result(object));
  } else if (!owned && is_question(type)) {
    spawn(app.context.env.timers.executor(), "answer",
          answer_later(app, std::make_shared<const Incoming>(in), session, link));
  } else {
    auto message = read_owner_message(in, type);
    if (!message) return fail(message.error());
    app.owners.receive(std::move(*message), link);
  }
  return {};
}

Task<Result<std::vector<Incoming>>> read_messages(net::WebSocket& socket) {
  auto message = co_await socket.read();
  if (!message) co_return fail(message.error());
  co_return decode(std::move(*message));
}

// Until the connection ends, or an error, which breaks the protocol.
Task<Status> hear(app::App& app, net::WebSocket& socket, const std::string& session,
                  const std::shared_ptr<Link>& link) {
  while (true) {
    const auto messages = co_await read_messages(socket);
    if (!messages && messages.error().code == Errc::bad_request) co_return fail(messages.error());
    if (!messages) co_return Status{};
    for (const auto& in : *messages)
      if (auto handled = handle(app, in, session, link); !handled) co_return handled;
  }
}

Task<void> serve_worker(app::App& app, net::WebSocket& socket, View first) {
  const auto hello = read_hello(first);
  if (!hello) {
    socket.close(4400, hello.error().message);
    co_return;
  }
  const auto session = hello->session;
  const auto link =
      std::make_shared<Link>(socket, app.context.env.timers.executor(), app.context.tracer != nullptr);
  const auto welcome = co_await app.workers.hello(*hello, link);
  if (!welcome) {
    socket.close(close_code(welcome.error().code), welcome.error().message);
    link->detach();
    co_return;
  }
  socket.send(welcome_message(app.context, session, *welcome));
  for (const auto& offer : welcome->offers) link->send(offer);
  log::info({{"worker_session", session}}, "worker {} serves {} graph(s)", hello->name, hello->graphs.size());
  if (const auto heard = co_await hear(app, socket, session, link); !heard) {
    log::warn("worker {} broke the protocol: {}", hello->name, heard.error().message);
    link->close(4400, heard.error().message);
  }
  const auto* identity = link.get();
  link->detach();
  app.owners.disconnected(identity);
  app.workers.disconnected(session, identity, socket.close_code() == 1000);
}

Task<void> serve_supervisor(app::App& app, net::WebSocket& socket) {
  Writer welcome;
  write_welcome(welcome, app.context);
  welcome.key("answers_beats").boolean(true).end_object();
  socket.send({false, welcome.take()});
  while (true) {
    const auto messages = co_await read_messages(socket);
    if (!messages) co_return;
    for (const auto& in : *messages) {
      const auto type = in.object["type"].string();
      if (type == "beat") {
        for (const auto id : in.object["sessions"].elements()) app.workers.beat(id.string());
        socket.send({false, R"({"type":"heard"})"});
      } else if (type == "ended") {
        app.workers.ended(in.object["session"].string(), "its process ended");
      } else {
        socket.close(4400, "a supervisor says beat or ended, not " + type);
        co_return;
      }
    }
  }
}

Task<void> serve(app::App& app, net::WebSocket& socket) {
  const auto first = co_await read_messages(socket);
  if (!first) {
    socket.close(4400, first.error().message);
    co_return;
  }
  if (first->size() != 1) {
    socket.close(4400, "the first message is alone");
    co_return;
  }
  const View object = first->front().object;
  if (object["protocol"].integer() != protocol_version) {
    socket.close(4426, "this server speaks version 1 of the worker protocol");
    co_return;
  }
  const auto type = object["type"].string();
  if (type == "hello") {
    co_await serve_worker(app, socket, object);
  } else if (type == "supervise") {
    co_await serve_supervisor(app, socket);
  } else {
    socket.close(4400, "the first message is hello or supervise, not " + type);
  }
}

}  // namespace

void add_worker_endpoint(net::Router& router, app::App& app, const std::string& token, RequestLimit* limit,
                         Identify identify) {
  router.add_websocket(
      "/api/v1/workers/connect",
      [&app, gate = Gate{token, limit, std::move(identify)}](const net::Request& request) {
        return pass_gate(request, app, gate);
      },
      [&app](net::Request&, net::WebSocket& socket) { return serve(app, socket); });
}

}  // namespace dg::api::worker
