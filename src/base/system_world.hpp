// An event loop with the system's own ports.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "base/env.hpp"

namespace dg {

// What a program, or a part of one with a thread of its own, runs on. It outlives whatever uses its
// env. Under virtual time VirtualWorld (base/virtual_time.hpp) stands in its place.
struct SystemWorld {
  using MakeClock = std::unique_ptr<Clock> (*)(const Timers&);
  explicit SystemWorld(MakeClock make_clock = [](const Timers&) { return make_system_clock(); })
      : clock(make_clock(*timers)) {}

  boost::asio::io_context io{1};
  std::unique_ptr<Random> random = make_system_random();
  std::unique_ptr<Timers> timers = make_system_timers(io);
  std::unique_ptr<Clock> clock;
  Env env{*clock, *random, *timers};
};

}  // namespace dg
