#include "cli/supervisor/link.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/log.hpp"
#include "net/server.hpp"

namespace dg::cli {
namespace {

constexpr Duration beat_every = std::chrono::seconds(2);
constexpr Duration connect_timeout = std::chrono::seconds(5);

}  // namespace

SupervisorLink::SupervisorLink(boost::asio::io_context& io, const Env& env, std::string url, std::string token,
                               std::function<std::vector<std::string>()> alive)
    : io_(io),
      env_(env),
      url_(std::move(url)),
      token_(std::move(token)),
      alive_(std::move(alive)),
      changed_(env.timers) {}

Task<void> SupervisorLink::run() {
  Duration pause = std::chrono::milliseconds(50);
  std::string last_error;
  while (true) {
    const net::Headers headers{{"Authorization", "Bearer " + token_}, {"Sec-WebSocket-Protocol", "duragraph.worker.v1"}};
    auto socket = co_await net::ws_connect(io_, env_, url_ + "/api/v1/workers/connect", headers, connect_timeout);
    if (!socket) {
      if (std::exchange(last_error, socket.error().message) != socket.error().message)
        log::warn("the server at {} cannot be reached: {}", url_, socket.error().message);
      co_await sleep_for(env_.timers, pause);
      pause = std::min<Duration>(pause * 2, std::chrono::seconds(1));
      continue;
    }
    last_error.clear();
    pause = std::chrono::milliseconds(50);
    socket_ = std::move(*socket);
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
    spawn(io_.get_executor(), "supervisor's connection", watch_connection(socket_));
    co_await beat_while_connected();
    socket_ = nullptr;
  }
}

Task<void> SupervisorLink::watch_connection(std::shared_ptr<net::WebSocket> socket) {
  while (co_await socket->read()) {
  }
  changed_.notify_all();
}

Task<void> SupervisorLink::beat_while_connected() {
  while (socket_->open()) {
    json::Writer beat;
    beat.begin_object().key("type").string("beat").key("sessions").begin_array();
    for (const auto& session : alive_()) beat.string(session);
    beat.end_array().end_object();
    socket_->send({false, beat.take()});
    flush();
    co_await changed_.wait_for(beat_every);
  }
}

void SupervisorLink::ended(const std::string& session, int code, int signal) {
  unsaid_.push_back({session, code, signal});
  flush();
}

void SupervisorLink::flush() {
  if (!socket_ || !socket_->open()) return;
  for (const auto& ended : std::exchange(unsaid_, {})) {
    json::Writer out;
    out.begin_object().key("type").string("ended").key("session").string(ended.session);
    out.key("exit_code").integer(ended.code).key("signal").integer(ended.signal).end_object();
    socket_->send({false, out.take()});
  }
}

}  // namespace dg::cli
