#include "base/log_sink.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>

namespace dg::log {
namespace {

// A pipe of one page, and a logger that writes into it.
class UnwaitingSinkTest : public testing::Test {
 public:
  UnwaitingSinkTest() {
    EXPECT_EQ(pipe(ends_.data()), 0);
    EXPECT_EQ(fcntl(ends_[1], F_SETPIPE_SZ, page), page);
    EXPECT_EQ(fcntl(ends_[0], F_SETFL, O_NONBLOCK), 0);
    sink_ = std::make_shared<UnwaitingSink>(ends_[1]);
    logger_ = std::make_unique<spdlog::logger>("test", sink_);
    logger_->set_pattern("%v");
  }
  ~UnwaitingSinkTest() override {
    close(ends_[0]);
    close(ends_[1]);
  }
  UnwaitingSinkTest(const UnwaitingSinkTest&) = delete;
  UnwaitingSinkTest& operator=(const UnwaitingSinkTest&) = delete;

 protected:
  static constexpr int page = 4096;

  std::string read_all() {
    std::string out;
    std::array<char, page> buffer{};
    for (auto count = read(ends_[0], buffer.data(), buffer.size()); count > 0;
         count = read(ends_[0], buffer.data(), buffer.size()))
      out.append(buffer.data(), static_cast<std::size_t>(count));
    return out;
  }

  std::array<int, 2> ends_{};
  std::shared_ptr<UnwaitingSink> sink_;
  std::unique_ptr<spdlog::logger> logger_;
};

TEST_F(UnwaitingSinkTest, DropsWhatAFullPipeHasNoRoomFor) {
  std::string written;
  for (int i = 0; sink_->dropped() == 0 && i < page; ++i) {
    const auto line = fmt::format("line {}", i);
    logger_->info(line);
    if (sink_->dropped() == 0) written += line + "\n";
  }
  EXPECT_EQ(sink_->dropped(), 1U);
  logger_->info("lost, too");
  EXPECT_EQ(sink_->dropped(), 2U);
  EXPECT_EQ(read_all(), written) << "whole lines, in order";
  logger_->info("after");
  EXPECT_EQ(read_all(), "after\n");
  EXPECT_EQ(sink_->dropped(), 2U);
}

TEST_F(UnwaitingSinkTest, ALineThatWasCutIsEndedBeforeTheNext) {
  logger_->info(std::string(3 * page, 'x'));
  EXPECT_EQ(sink_->dropped(), 1U);
  const auto begun = read_all();
  EXPECT_FALSE(begun.empty());
  EXPECT_EQ(begun.find_first_not_of('x'), std::string::npos);
  logger_->info("after");
  EXPECT_EQ(read_all(), "\nafter\n");
  logger_->info("and on");
  EXPECT_EQ(read_all(), "and on\n");
}

}  // namespace
}  // namespace dg::log
