// Where log lines go: standard error, without ever waiting for it.
#pragma once

#include <spdlog/sinks/base_sink.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace dg::log {

// Writes lines to a file descriptor. One that has no room at once, as a pipe that nobody reads, loses the
// line.
class UnwaitingSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit UnwaitingSink(int fd) : fd_(fd) {}
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}

 private:
  bool put(std::string_view line);

  int fd_;
  bool cut_ = false;  // the last line was begun and not ended
  std::atomic<std::uint64_t> dropped_ = 0;
};

}  // namespace dg::log
