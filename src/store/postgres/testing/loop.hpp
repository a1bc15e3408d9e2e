// Running coroutines of a test on an event loop of its own.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

#include "base/system_world.hpp"

namespace dg::store::postgres::testing {

// An event loop that runs while somebody waits for the end of a task.
class Loop : public SystemWorld {
 public:
  template <class T>
  T wait(Task<T> task) {
    std::optional<T> value;
    std::exception_ptr error;
    boost::asio::co_spawn(io.get_executor(), std::move(task), [&](const std::exception_ptr& thrown, T given) {
      error = thrown;
      if (!thrown) value = std::move(given);
      io.stop();
    });
    io.restart();
    io.run();
    if (error) std::rethrow_exception(error);
    if (!value) throw std::runtime_error("the task waits for nothing that can happen");
    return std::move(*value);
  }
};

}  // namespace dg::store::postgres::testing
