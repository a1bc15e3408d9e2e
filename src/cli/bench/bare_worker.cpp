#include "cli/bench/bare_worker.hpp"

#include <fmt/format.h>

#include "api/worker/wire.hpp"
#include "base/json.hpp"

namespace dg::cli::bench {
namespace {

using api::worker::Blobs;

constexpr Duration connect_timeout = std::chrono::seconds(5);
constexpr Duration beat_every = std::chrono::seconds(2);
constexpr std::size_t value_bytes = 1000;

json::Writer message(std::string_view type) {
  json::Writer out;
  out.begin_object().key("type").string(type);
  return out;
}

net::WsMessage hello(const Env& env, const std::string& session, const BareWorkerOptions& options) {
  auto out = message("hello");
  out.key("protocol").integer(1).key("session").string(session).key("secret").string(make_uuid7(env));
  out.key("worker").begin_object().key("name").string("bench").key("pid").integer(1);
  out.key("language").string("none").key("versions").begin_object().end_object().end_object();
  out.key("revision").string("").key("supervised").boolean(false).key("slots").integer(options.slots);
  out.key("draining").boolean(false).key("graphs").begin_array().begin_object();
  out.key("graph_id").string(options.graph).key("description").string("").end_object().end_array();
  return {false, out.key("owned").begin_array().end_array().end_object().take()};
}

// The begin of each message of a run.
json::Writer numbered(std::string_view type, json::View run, int n) {
  auto out = message(type);
  out.key("owner").string(run["run_id"].string()).key("epoch").integer(run["epoch"].integer().value_or(0));
  out.key("n").integer(n);
  return out;
}

std::string state_of_value() {
  return fmt::format(R"({{"text":"{}"}})", std::string(value_bytes, 'x'));
}

net::WsMessage checkpoint(const Env& env, json::View run) {
  Blobs blobs;
  auto out = numbered("checkpoint", run, 2);
  out.key("ns").string("").key("checkpoint_id").string(make_uuid7(env)).key("parent_id").null();
  out.key("checkpoint").begin_object();
  blobs.write(out, {"msgpack", "{}"});
  out.end_object().key("channel_versions").begin_object().key("text").string("1").end_object();
  out.key("values").begin_array().begin_object().key("channel").string("text").key("version").string("1");
  blobs.write(out, {"msgpack", std::string(value_bytes, 'x')});
  out.end_object().end_array().key("metadata").begin_object().key("run_id").string(run["run_id"].string());
  out.end_object().key("projection").begin_object().key("values").raw(state_of_value());
  out.key("next").begin_array().end_array().key("created_at").string("2026-01-01T00:00:00+00:00");
  out.key("tasks").begin_array().end_array().end_object();
  return blobs.message(out.end_object().take());
}

// All that it says of a run, in one message.
net::WsMessage whole_run(const Env& env, json::View run) {
  auto frames = numbered("frames", run, 1);
  frames.key("frames").raw(fmt::format(R"([["values",{}]])", state_of_value())).end_object();
  auto end = numbered("complete", run, 3);
  end.key("status").string("success").end_object();
  return api::worker::join({{false, frames.take()}, checkpoint(env, run), {false, end.take()}});
}

}  // namespace

struct BareWorker::State {
  State(SystemWorld& the_loop, Duration the_time) : loop(the_loop), takes(the_time), heard(*loop.timers) {}

  SystemWorld& loop;
  Duration takes;
  std::shared_ptr<net::WebSocket> socket;
  std::map<std::string, SteadyTime> leases;  // that nobody has asked for
  std::int64_t ended = 0;
  bool welcome = false;
  Signal heard;

  static Task<void> listen(std::shared_ptr<State> self);
  static Task<void> beat(std::shared_ptr<State> self);
  static Task<void> execute(std::shared_ptr<State> self, api::worker::Incoming lease);
  void take(const api::worker::Incoming& in, const std::shared_ptr<State>& self);
};

void BareWorker::State::take(const api::worker::Incoming& in, const std::shared_ptr<State>& self) {
  const auto type = in.object["type"].string();
  if (type == "welcome") welcome = true;
  if (type != "lease") return;
  leases.emplace(in.object["run"]["run_id"].string(), loop.timers->now());
  spawn(loop.io.get_executor(), "bench run", execute(self, in));
}

Task<void> BareWorker::State::listen(std::shared_ptr<State> self) {
  while (auto message = co_await self->socket->read()) {
    const auto incoming = api::worker::decode(std::move(*message));
    if (!incoming) break;
    for (const auto& in : *incoming) self->take(in, self);
    self->heard.notify_all();
  }
  self->socket->close(1000, "");
  self->heard.notify_all();
}

Task<void> BareWorker::State::beat(std::shared_ptr<State> self) {
  while (self->socket->open()) {
    self->socket->send({false, R"({"type":"beat"})"});
    co_await sleep_for(*self->loop.timers, beat_every);
  }
}

Task<void> BareWorker::State::execute(std::shared_ptr<State> self, api::worker::Incoming lease) {
  if (self->takes > Duration{}) co_await sleep_for(*self->loop.timers, self->takes);
  self->socket->send(whole_run(self->loop.env, lease.object["run"]));
  ++self->ended;
}

Task<Result<std::unique_ptr<BareWorker>>> BareWorker::connect(SystemWorld& loop, BareWorkerOptions options) {
  const auto session = make_uuid7(loop.env);
  const net::Headers headers{{"Authorization", "Bearer " + options.token},
                             {"X-Duragraph-Session", session},
                             {"Sec-WebSocket-Protocol", "duragraph.worker.v1"}};
  auto socket = co_await net::ws_connect(loop.io, loop.env, options.url + "/api/v1/workers/connect", headers,
                                         connect_timeout);
  if (!socket) co_return fail(socket.error());
  auto state = std::make_shared<State>(loop, options.takes);
  state->socket = std::move(*socket);
  state->socket->send(hello(loop.env, session, options));
  std::unique_ptr<BareWorker> worker(new BareWorker(state));
  spawn(loop.io.get_executor(), "bench worker", State::listen(state));
  const auto deadline = loop.timers->now() + connect_timeout;
  while (!state->welcome && state->socket->open())
    if (!co_await state->heard.wait_until(deadline)) break;
  if (!state->welcome)
    co_return fail(Errc::unavailable, "the server takes no worker: " + state->socket->close_reason());
  spawn(loop.io.get_executor(), "bench worker", State::beat(state));
  co_return worker;
}

BareWorker::~BareWorker() {
  state_->socket->close(1000, "");
}

Task<Result<SteadyTime>> BareWorker::leased(std::string run_id, SteadyTime deadline) {
  while (!state_->leases.contains(run_id))
    if (!co_await state_->heard.wait_until(deadline)) co_return fail(Errc::timeout, "no worker got the run");
  co_return state_->leases.extract(run_id).mapped();
}

std::int64_t BareWorker::ended() const {
  return state_->ended;
}

}  // namespace dg::cli::bench
