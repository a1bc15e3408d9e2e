#include "cli/server/until_stopped.hpp"

#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdlib>

#include "base/log.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#define DURAGRAPH_FINDS_LEAKS
#endif
#endif

namespace dg::cli {
namespace {

// What still runs is not destroyed. A sanitizer, which would look for leaks after that, does so now.
[[noreturn]] void leave() {
#ifdef DURAGRAPH_FINDS_LEAKS
  __lsan_do_leak_check();
#endif
  std::_Exit(0);
}

Task<void> stop_and_leave(std::function<Task<void>()> stop) {
  co_await stop();
  leave();
}

}  // namespace

void run_until_stopped(boost::asio::io_context& io, std::function<Task<void>()> stop) {
  boost::asio::signal_set signals(io, SIGINT, SIGTERM);
  std::signal(SIGPIPE, SIG_IGN);
  bool stopping = false;
  std::function<void(const boost::system::error_code&, int)> on_signal =
      [&](const boost::system::error_code& error, int number) {
        if (error) return;
        if (stopping) std::_Exit(130);
        stopping = true;
        log::info("stopping{}", number == SIGINT ? "; press Ctrl-C again to stop at once" : "");
        spawn(io.get_executor(), "stop", stop_and_leave(stop));
        signals.async_wait(on_signal);
      };
  signals.async_wait(on_signal);
  io.run();
  leave();
}

}  // namespace dg::cli
