// A supervisor's connection to the server: it speaks for the life of its workers.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.hpp"
#include "net/http.hpp"

namespace dg::cli {

class SupervisorLink {
 public:
  // `alive` names the sessions whose process exists and is not stopped. `refused`, where there is one, is
  // called when the server does not take the token.
  SupervisorLink(boost::asio::io_context& io, const Env& env, std::string url, std::string token,
                 std::function<std::vector<std::string>()> alive, std::function<void()> refused);

  // Connects, beats every two seconds, and connects again when the connection is lost, for ever or until
  // the token is refused.
  Task<void> run();
  // Tells the server at once, or as soon as it can be told, that a session's process has ended.
  void ended(const std::string& session, int code, int signal);
  // The workers are being stopped: a server that is gone is no news any more.
  void expect_the_end() { end_expected_ = true; }

 private:
  struct Ended {
    std::string session;
    int code;
    int signal;
    std::optional<SteadyTime> said_at;  // nothing: not yet
  };
  Task<void> beat_while_connected();
  Task<void> watch_connection(std::shared_ptr<net::WebSocket> socket);
  void say(Ended& ended);
  // What was said shortly before a connection was lost may be lost with it: it is said again, which
  // means nothing to a server that knows.
  void say_all_ended();

  boost::asio::io_context& io_;
  Env env_;
  std::string url_;
  std::string token_;
  std::function<std::vector<std::string>()> alive_;
  std::function<void()> refused_;
  std::vector<Ended> ended_;
  bool end_expected_ = false;
  std::shared_ptr<net::WebSocket> socket_;
  bool is_answered_ = false;  // the server says so when it has heard a beat
  SteadyTime heard_at_{};
  Signal changed_;
};

}  // namespace dg::cli
