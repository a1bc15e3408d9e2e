#include "cli/supervisor/link.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/log.hpp"
#include "net/server.hpp"

namespace dg::cli {
namespace {

constexpr Duration beat_every = std::chrono::seconds(2);
// A server that was stopped or cut off closes nothing; its workers' heartbeats must not be lost with it.
constexpr Duration longest_silence = std::chrono::seconds(6);
constexpr Duration say_again_for = std::chrono::seconds(30);  // longer than a lost connection stays unnoticed
constexpr Duration first_pause = std::chrono::milliseconds(50);
constexpr Duration longest_pause = std::chrono::seconds(1);
constexpr Duration connect_timeout = std::chrono::seconds(5);

}  // namespace

SupervisorLink::SupervisorLink(boost::asio::io_context& io, const Env& env, std::string url,
                               std::string token, std::function<std::vector<std::string>()> alive,
                               std::function<void()> refused)
    : io_(io),
      env_(env),
      url_(std::move(url)),
      token_(std::move(token)),
      alive_(std::move(alive)),
      refused_(std::move(refused)),
      changed_(env.timers) {}

Task<void> SupervisorLink::run() {
  Duration pause = first_pause;
  std::string last_error;
  while (true) {
    const net::Headers headers{{"Authorization", "Bearer " + token_},
                               {"Sec-WebSocket-Protocol", "duragraph.worker.v1"}};
    auto socket =
        co_await net::ws_connect(io_, env_, url_ + "/api/v1/workers/connect", headers, connect_timeout);
    if (!socket && socket.error().code == Errc::unauthorized && refused_) {
      refused_();
      co_return;
    }
    if (!socket) {
      if (std::exchange(last_error, socket.error().message) != socket.error().message && !end_expected_)
        log::warn("the server at {} cannot be reached: {}", url_, socket.error().message);
      co_await sleep_for(env_.timers, pause);
      pause = std::min<Duration>(pause * 2, longest_pause);
      continue;
    }
    last_error.clear();
    const auto connected_at = env_.timers.now();
    socket_ = std::move(*socket);
    is_answered_ = false;
    socket_->send({false, json::Writer()
                              .begin_object()
                              .key("type")
                              .string("supervise")
                              .key("protocol")
                              .integer(1)
                              .key("supervisor")
                              .string(make_uuid7(env_))
                              .end_object()
                              .take()});
    say_all_ended();
    spawn(io_.get_executor(), "supervisor's connection", watch_connection(socket_));
    co_await beat_while_connected();
    const auto code = socket_->close_code();
    if (code >= 4000) log::error("the server refuses the supervisor ({}): {}", code, socket_->close_reason());
    socket_ = nullptr;
    // A server that closes every connection at once is asked ever more rarely.
    if (env_.timers.now() - connected_at > beat_every) pause = first_pause;
    co_await sleep_for(env_.timers, pause);
    pause = std::min<Duration>(pause * 2, longest_pause);
  }
}

Task<void> SupervisorLink::watch_connection(std::shared_ptr<net::WebSocket> socket) {
  while (auto message = co_await socket->read()) {
    heard_at_ = env_.timers.now();
    if (!is_answered_ && json::validate(message->data, json::worker_rules))
      is_answered_ = json::View(message->data)["answers_beats"].boolean().value_or(false);
  }
  changed_.notify_all();
}

Task<void> SupervisorLink::beat_while_connected() {
  while (socket_->open()) {
    if (is_answered_ && env_.timers.now() - heard_at_ > longest_silence) {
      log::warn("the server at {} has fallen silent; connecting anew", url_);
      socket_->close(1001, "the server has fallen silent");
      co_return;
    }
    json::Writer beat;
    beat.begin_object().key("type").string("beat").key("sessions").begin_array();
    for (const auto& session : alive_()) beat.string(session);
    beat.end_array().end_object();
    socket_->send({false, beat.take()});
    co_await changed_.wait_for(beat_every);
  }
}

void SupervisorLink::ended(const std::string& session, int code, int signal) {
  say(ended_.emplace_back(session, code, signal, std::nullopt));
}

void SupervisorLink::say(Ended& ended) {
  if (!socket_ || !socket_->open()) return;
  json::Writer out;
  out.begin_object().key("type").string("ended").key("session").string(ended.session);
  out.key("exit_code").integer(ended.code).key("signal").integer(ended.signal).end_object();
  socket_->send({false, out.take()});
  if (!ended.said_at) ended.said_at = env_.timers.now();
}

void SupervisorLink::say_all_ended() {
  std::erase_if(ended_, [now = env_.timers.now()](const Ended& ended) {
    return ended.said_at && now - *ended.said_at > say_again_for;
  });
  for (auto& ended : ended_) say(ended);
}

}  // namespace dg::cli
