// Buses of several instances in one process, for tests: what one says, the others hear in the next turn of
// the loop.
#pragma once

#include <boost/asio/post.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/async.hpp"
#include "bus/local/listeners.hpp"

namespace dg::bus::testing {

class Hub {
 public:
  explicit Hub(Executor executor) : executor_(std::move(executor)) {}

  // A bus for one more instance. The hub outlives it.
  std::unique_ptr<Bus> join() { return std::make_unique<Member>(*this); }
  // While it is cut nothing reaches another instance; everybody is woken when it ends, as after a reconnect.
  void cut(bool is_cut) {
    is_cut_ = is_cut;
    if (!is_cut)
      for (const auto* member : members_) wake(*member);
  }
  // As adapters do every second while the broker is away.
  void wake_everybody() {
    for (const auto* member : members_) wake(*member);
  }

 private:
  class Member final : public Bus {
   public:
    explicit Member(Hub& hub) : hub_(hub) { hub_.members_.push_back(this); }
    ~Member() override { std::erase(hub_.members_, this); }
    void publish(Topic topic, const std::string& id) override {
      listeners->call(topic, id, "");
      hub_.tell_others(*this, topic, id, "");
    }
    void send(Topic topic, const std::string& id, std::string body) override {
      hub_.tell_others(*this, topic, id, std::move(body));
    }
    bool reaches_others() const override { return true; }
    Subscription subscribe(Topic topic, std::string id, Listener listener) override {
      Listeners::Key key{topic, id};
      auto subscription = listeners->add(topic, std::move(id), std::move(listener));
      boost::asio::post(hub_.executor_, [weak = std::weak_ptr(listeners), key = std::move(key)] {
        if (const auto alive = weak.lock()) alive->wake(key);
      });
      return subscription;
    }

    std::shared_ptr<Listeners> listeners = std::make_shared<Listeners>();

   private:
    Hub& hub_;
  };

  void tell_others(const Member& from, Topic topic, const std::string& id, std::string body) {
    if (is_cut_) return;
    for (const auto* member : members_) {
      if (member == &from) continue;
      boost::asio::post(executor_, [weak = std::weak_ptr(member->listeners), topic, id, body] {
        if (const auto alive = weak.lock()) alive->call(topic, id, body);
      });
    }
  }
  void wake(const Member& member) {
    boost::asio::post(executor_, [weak = std::weak_ptr(member.listeners)] {
      if (const auto alive = weak.lock()) alive->wake_all();
    });
  }

  Executor executor_;
  std::vector<Member*> members_;
  bool is_cut_ = false;
};

}  // namespace dg::bus::testing
