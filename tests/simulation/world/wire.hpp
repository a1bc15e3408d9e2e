// A network connection between the server and somebody else. Messages of one direction arrive in order,
// each after a delay of its own; whoever breaks the connection loses what is on the way.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "simulation/world/stage.hpp"

namespace dg::simulation {

// How long messages take. While it is stalled nothing arrives.
class Network {
 public:
  explicit Network(Stage& stage) : stage_(stage) {}
  SteadyTime arrival() {
    auto& dice = stage_.network;
    auto delay = dice.between(Duration(30), Duration(400));
    if (dice.percent(10)) delay = dice.between(milliseconds(1), milliseconds(40));
    if (dice.percent(1)) delay = dice.between(milliseconds(100), milliseconds(900));
    return std::max(stage_.now() + delay, stalled_until_);
  }
  void stall(Duration time) { stalled_until_ = stage_.now() + time; }
  // Of one more connection.
  std::uint64_t next_number() { return ++connections_; }

 private:
  Stage& stage_;
  SteadyTime stalled_until_{};
  std::uint64_t connections_ = 0;
};

class Server;

class Wire : public std::enable_shared_from_this<Wire> {
 public:
  Wire(Stage& stage, Network& network, Server& server, std::uint64_t made_number)
      : number(made_number), stage_(stage), network_(network), server_(server) {}

  const std::uint64_t number;  // one of its own among all of the world

  // Does something at the other end when the message arrives, unless the connection is lost before.
  void to_server(std::function<void(Server&)> fn) {
    send(up_, [this, fn = std::move(fn)] { deliver([this, fn] { fn(server_); }); });
  }
  void to_peer(std::function<void()> fn) { send(down_, std::move(fn)); }

  // The network loses a packet of the peer's: what it says next arrives that much later.
  void delay_to_server(Duration time) { up_.last = std::max(up_.last, stage_.now()) + time; }

  // The process at that end is gone: what it had sent still arrives, and then the other end is told.
  void server_gone() {
    up_.open = false;
    to_peer([self = shared_from_this()] { self->tell_peer(1006); });
  }
  void peer_gone(bool clean = false) {
    down_.open = false;
    to_server([self = shared_from_this(), clean](Server&) { self->tell_server(clean); });
  }
  // The peer has heard nothing for too long.
  void give_up() {
    if (!down_.open) return;
    tell_peer(1006);
    peer_gone();
  }
  // The server closes it with a code. What the peer says is heard until it has read that and answers
  // (`peer_gone`), for a second at most, which is how long the product's sockets wait.
  void close_from_server(std::uint16_t code) {
    to_peer([self = shared_from_this(), code] { self->tell_peer(code); });
    stage_.after(seconds(1),
                 [self = shared_from_this()] { self->deliver([self] { self->tell_server(false); }); });
  }
  // The network loses it. `silently`: the server does not notice before it has had no answer for a while.
  void cut(bool silently = false) {
    up_.open = down_.open = false;
    const auto delay = [this] { return stage_.network.between(Duration(100), milliseconds(300)); };
    stage_.after(silently ? stage_.instances.between(seconds(1), seconds(8)) : delay(),
                 [self = shared_from_this()] { self->deliver([self] { self->tell_server(false); }); });
    stage_.after(delay(), [self = shared_from_this()] { self->tell_peer(1006); });
  }
  bool open() const { return up_.open && down_.open; }
  bool server_was_told() const { return server_told_; }

  // Called once each, when that end learns of the end.
  std::function<void(bool clean)> on_server_closed;
  std::function<void(std::uint16_t code)> on_peer_closed;

 private:
  struct Direction {
    bool open = true;
    SteadyTime last{};
  };
  void send(Direction& direction, std::function<void()> fn) {
    if (!direction.open) return;
    direction.last = std::max(direction.last, network_.arrival());
    stage_.after(direction.last - stage_.now(), [self = shared_from_this(), &direction, fn = std::move(fn)] {
      if (direction.open) fn();
    });
  }
  // What reaches a server that is stopped is read when it continues.
  void deliver(std::function<void()> fn);
  void tell_peer(std::uint16_t code) {
    down_.open = false;  // who is stopped, and has not read this, goes on speaking when it continues
    if (auto told = std::exchange(on_peer_closed, nullptr)) told(code);
  }
  void tell_server(bool clean) {
    up_.open = false;  // what the server had sent is still on its way
    server_told_ = true;
    if (auto told = std::exchange(on_server_closed, nullptr)) told(clean);
  }

  Stage& stage_;
  Network& network_;
  Server& server_;
  Direction up_, down_;
  bool server_told_ = false;
};

}  // namespace dg::simulation
