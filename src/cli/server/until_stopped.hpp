// Running an event loop until the process is told to stop.
#pragma once

#include <functional>

#include "base/async.hpp"

namespace dg::cli {

// Runs `io`. SIGINT or SIGTERM start `stop`, after which the process ends with 0; a second signal ends it
// with 130 at once. The process ends without unwinding: what is durable is durable already.
[[noreturn]] void run_until_stopped(boost::asio::io_context& io, std::function<Task<void>()> stop);

}  // namespace dg::cli
