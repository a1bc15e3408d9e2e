#include "bus/nats/inbox.hpp"

#include <boost/asio/post.hpp>
#include <utility>

namespace dg::bus::nats {
namespace {

// Beside its bytes, a message takes about that much.
constexpr std::size_t message_overhead = 128;

std::size_t size_of(const Incoming& message) {
  return message.subject.size() + message.data.size() + message_overhead;
}

}  // namespace

void Inbox::put(Event event) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  const auto* const message = std::get_if<Incoming>(&event);
  if (message == nullptr) return add(std::move(event));
  if (bytes_ + size_of(*message) <= max_bytes_) {
    bytes_ += size_of(*message);
    return add(std::move(event));
  }
  ++dropped_;
  if (!std::exchange(full_, true)) add(Missed{});
}

void Inbox::add(Event event) {
  events_.push_back(std::move(event));
  if (!std::exchange(posted_, true))
    boost::asio::post(executor_, [self = shared_from_this()] { self->drain(); });
}

void Inbox::drain() {
  std::vector<Event> events;
  Deliver deliver;  // a copy: it may end with what it is called for
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    deliver = deliver_;
    events.swap(events_);
    bytes_ = 0;
    posted_ = full_ = false;
  }
  deliver(std::move(events));
}

void Inbox::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  events_.clear();
  deliver_ = nullptr;
}

}  // namespace dg::bus::nats
