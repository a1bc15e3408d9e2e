#include "cli/supervisor/file_watch.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <memory>

namespace dg::cli {
namespace {

namespace fs = std::filesystem;

TEST(IsSourceFile, TellsCodeFromData) {
  for (const char* name : {"agent.py", "langgraph.json", "langgraph.dev.json", ".env", "local.env",
                           "pyproject.toml", "requirements.txt", "requirements-dev.txt"})
    EXPECT_TRUE(is_source_file(name)) << name;
  for (const char* name :
       {"notes.txt", "out.json", "agent.pyc", ".agent.py.swp", ".#agent.py", "py", "data.toml"})
    EXPECT_FALSE(is_source_file(name)) << name;
}

class FileWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "duragraph-watch-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    fs::create_directories(dir_ / "package");
    watch_ = std::make_unique<FileWatch>(io_, env_, dir_, [this] { ++changes_; });
    spawn(io_.get_executor(), "watch", watch_->run());
    io_.poll();
  }
  void TearDown() override { fs::remove_all(dir_); }

  void expect_change(int count) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (changes_ < count && std::chrono::steady_clock::now() < limit)
      io_.run_one_for(std::chrono::milliseconds(10));
    EXPECT_EQ(changes_, count);
  }

  boost::asio::io_context io_{1};
  std::unique_ptr<Clock> clock_ = make_system_clock();
  std::unique_ptr<Random> random_ = make_system_random();
  std::unique_ptr<Timers> timers_ = make_system_timers(io_);
  Env env_{*clock_, *random_, *timers_};
  std::unique_ptr<FileWatch> watch_;
  fs::path dir_;
  int changes_ = 0;
};

TEST_F(FileWatchTest, SeesManyChangesAsOne) {
  for (const char* name : {"a.py", "b.py", "package/c.py"}) std::ofstream(dir_ / name) << "x";
  expect_change(1);
  fs::rename(dir_ / "a.py", dir_ / "package" / "a.py");
  expect_change(2);
  fs::remove(dir_ / "b.py");
  expect_change(3);
}

TEST_F(FileWatchTest, WatchesNewFoldersAndWhatTheyHoldAlready) {
  fs::create_directories(dir_ / "new" / "deep");
  std::ofstream(dir_ / "new" / "deep" / "a.py") << "x";
  expect_change(1);
  std::ofstream(dir_ / "new" / "deep" / "a.py") << "y";
  expect_change(2);
}

}  // namespace
}  // namespace dg::cli
