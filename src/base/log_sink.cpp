#include "base/log_sink.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace dg::log {
namespace {

bool has_room(int fd) {
  pollfd asked{.fd = fd, .events = POLLOUT, .revents = 0};
  return poll(&asked, 1, 0) == 1 && (asked.revents & POLLOUT) != 0;
}

// How much of it was written. A pipe that has room takes PIPE_BUF bytes at once.
std::size_t write_without_waiting(int fd, std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size() && has_room(fd)) {
    const auto part = std::min<std::size_t>(bytes.size() - done, PIPE_BUF);
    const auto count = ::write(fd, bytes.data() + done, part);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

}  // namespace

bool UnwaitingSink::put(std::string_view line) {
  // A line of its own for what was cut; together with this one, since there may be room for one write only.
  const std::string ended = cut_ ? fmt::format("\n{}", line) : std::string(line);
  const auto done = write_without_waiting(fd_, ended);
  if (done > 0) cut_ = done < ended.size();
  return done == ended.size();
}

void UnwaitingSink::sink_it_(const spdlog::details::log_msg& message) {
  spdlog::memory_buf_t line;
  formatter_->format(message, line);
  if (!put({line.data(), line.size()})) dropped_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace dg::log
