#include "cli/server/worker_token.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "base/scratch_folder.hpp"

namespace dg::cli {
namespace {

class WorkerTokenTest : public testing::Test {
 protected:
  // The data folder of a server that has left its token, and where it is, unless that has stopped.
  void leave(const std::string& token, const std::string& url = "") {
    std::ofstream(folder_.path() / "worker-token") << token;
    if (!url.empty()) std::ofstream(folder_.path() / "server.json") << R"({"url":")" << url << R"("})";
  }
  std::string token(const std::string& server, const std::string& environment) {
    return worker_token(server, folder_.path(), environment).text;
  }

  ScratchFolder folder_{"worker-token"};
};

TEST_F(WorkerTokenTest, TheFoldersServerIsShownTheFoldersToken) {
  leave("kept", "http://127.0.0.1:4000");
  for (const std::string server : {"", "http://127.0.0.1:4000", "http://localhost:4000/", "ws://[::1]:4000"})
    EXPECT_EQ(token(server, "environment"), "kept") << server;
  EXPECT_EQ(worker_token("", folder_.path(), "environment").from, (folder_.path() / "worker-token").string());
}

TEST_F(WorkerTokenTest, AnotherServerIsShownTheEnvironments) {
  leave("kept", "http://127.0.0.1:4000");
  for (const std::string server :
       {"http://127.0.0.1:4001", "http://a.example:4000", "http://127.0.0.1:4000/behind-a-proxy"}) {
    EXPECT_EQ(token(server, "environment"), "environment") << server;
    EXPECT_EQ(token(server, ""), "kept") << "the folder's server may have another address there";
  }
  EXPECT_EQ(worker_token("http://a.example", folder_.path(), "environment").from, "DURAGRAPH_WORKER_TOKEN");
}

TEST_F(WorkerTokenTest, AServerThatIsStoppedHasNoAddress) {
  leave("kept");
  EXPECT_EQ(token("", "environment"), "kept");
  EXPECT_EQ(token("http://127.0.0.1:2024", "environment"), "environment");
}

TEST_F(WorkerTokenTest, WithoutAFoldersTokenThereIsTheEnvironments) {
  EXPECT_EQ(token("", "environment"), "environment");
  EXPECT_EQ(token("", ""), "");
}

TEST_F(WorkerTokenTest, TheServerIsTheGivenOneElseTheAnnouncedElseTheDefault) {
  EXPECT_EQ(worker_server("", folder_.path()), "http://127.0.0.1:2024");
  leave("kept", "http://127.0.0.1:4000");
  EXPECT_EQ(worker_server("", folder_.path()), "http://127.0.0.1:4000");
  EXPECT_EQ(worker_server("http://a.example//", folder_.path()), "http://a.example");
}

}  // namespace
}  // namespace dg::cli
