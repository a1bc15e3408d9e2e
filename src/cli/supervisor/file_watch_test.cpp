#include "cli/supervisor/file_watch.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <memory>

#include "base/scratch_folder.hpp"
#include "base/system_world.hpp"

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
    fs::create_directories(dir_ / "package");
    fs::create_directories(base_ / "secrets");
    sources_.folders = {dir_};
    sources_.files = {base_ / "secrets" / "variables", dir_ / ".env.local"};
    watch_ =
        std::make_unique<FileWatch>(io_, world_.env, [this] { return sources_; }, [this] { ++changes_; });
    spawn(io_.get_executor(), "watch", watch_->run());
    io_.poll();
  }

  void expect_change(int count) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (changes_ < count && std::chrono::steady_clock::now() < limit)
      io_.run_one_for(std::chrono::milliseconds(10));
    EXPECT_EQ(changes_, count);
  }

  SystemWorld world_;
  boost::asio::io_context& io_ = world_.io;
  std::unique_ptr<FileWatch> watch_;
  ScratchFolder folder_{"watch"};
  fs::path base_ = folder_.path();
  fs::path dir_ = base_ / "project";
  Sources sources_;
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

TEST_F(FileWatchTest, WatchesSingleFilesWhereverTheyAre) {
  std::ofstream(base_ / "secrets" / "variables") << "A=1";
  expect_change(1);
  std::ofstream(dir_ / ".env.local") << "A=1";
  expect_change(2);
  // As editors write: a new file takes the name, beside files that are nothing to the project.
  std::ofstream(base_ / "secrets" / "other.py") << "x";
  std::ofstream(base_ / "secrets" / "scratch") << "A=2";
  fs::rename(base_ / "secrets" / "scratch", base_ / "secrets" / "variables");
  expect_change(3);
  std::ofstream(base_ / "secrets" / "other.py") << "y";
  std::ofstream(dir_ / "a.py") << "x";
  expect_change(4);
}

TEST_F(FileWatchTest, WatchesWhatAChangeBrings) {
  fs::create_directories(base_ / "shared" / "deep");
  sources_.folders.insert(base_ / "shared");
  std::ofstream(dir_ / "langgraph.json") << "{}";
  expect_change(1);
  std::ofstream(base_ / "shared" / "deep" / "a.py") << "x";
  expect_change(2);
}

}  // namespace
}  // namespace dg::cli
