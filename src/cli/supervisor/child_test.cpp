#include "cli/supervisor/child.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <optional>

namespace dg::cli {
namespace {

namespace asio = boost::asio;
using Pipe = asio::posix::basic_stream_descriptor<Executor>;

// Ends with 0 when its input is closed, and with 124 when that takes too long.
constexpr std::string_view obedient = "exec timeout 10 cat";

std::shared_ptr<Child> start(asio::io_context& io, std::string_view script) {
  auto child = Child::start(io, {{"/bin/sh", "-c", std::string(script)}, "/", {{"PATH", "/bin:/usr/bin"}}});
  EXPECT_TRUE(child);
  return child ? *child : nullptr;
}

void run(asio::io_context& io, const std::shared_ptr<Child>& child, std::optional<ChildExit>& end) {
  spawn(io.get_executor(), "child",
        [](std::shared_ptr<Child> self, std::optional<ChildExit>& told) -> Task<void> {
          told = co_await self->run(self, [](const std::string&) {}, [](const std::string&) {});
        }(child, end));
}

TEST(Child, TellsHowItEnded) {
  asio::io_context io;
  std::optional<ChildExit> ended, killed;
  const auto one = start(io, "exit 3");
  const auto other = start(io, obedient);
  run(io, one, ended);
  run(io, other, killed);
  other->kill(SIGKILL);
  io.run();
  ASSERT_TRUE(ended && killed);
  EXPECT_EQ(ended->code, 3);
  EXPECT_EQ(killed->signal, SIGKILL);
}

// Pipes that are all readable at once. Whichever the loop tells first closes the others, whose reports
// are under way by then, and starts a child that takes their places.
TEST(Child, IsNotTakenForDeadForWhatWasReportedOfClosedDescriptors) {
  asio::io_context io;
  constexpr std::size_t count = 16;
  std::vector<Pipe> pipes;
  std::vector<int> writers;
  std::shared_ptr<Child> child;
  std::optional<ChildExit> end;
  for (std::size_t i = 0; i < count; ++i) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    pipes.emplace_back(io, ends[0]);
    writers.push_back(ends[1]);
  }
  for (auto& pipe : pipes)
    pipe.async_wait(Pipe::wait_read, [&](const boost::system::error_code&) {
      if (child) return;
      for (auto& other : pipes)
        if (&other != &pipe) other.close();
      child = start(io, obedient);
      run(io, child, end);
    });
  io.poll();
  for (const int writer : writers) ASSERT_EQ(::write(writer, "x", 1), 1);
  while (!child) io.run_one();
  io.poll();
  EXPECT_FALSE(end) << "the child runs, and the loop must too";
  child->close_input();
  io.run();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 0);
  for (const int writer : writers) ::close(writer);
}

}  // namespace
}  // namespace dg::cli
