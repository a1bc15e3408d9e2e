#include "cli/client/command_line.hpp"

#include <gtest/gtest.h>

namespace dg::cli {
namespace {

// The program in small: two groups, one of which takes a word of its own as well.
class CommandLine : public testing::Test {
 protected:
  CommandLine() {
    app_.require_subcommand(1);
    auto& run = *app_.add_subcommand("run")->require_subcommand(1);
    auto& create = *run.add_subcommand("create");
    create.add_option("assistant", text_)->required();
    create.add_option("--input", text_);
    create.add_option("--after", number_)->check(at_least(0));
    run.add_subcommand("list")->add_option("--limit", whole_)->check(whole_number(1, 1000));
    auto& dev = *app_.add_subcommand("dev");
    dev.add_option("--port", whole_)->check(port_number());
    dev.add_option("--host", text_)->check(host_address());
    dev.add_option("--processes", whole_)->check(whole_number(1));
    dev.add_option("--cors-origin", texts_)->check(web_origin())->allow_extra_args(false);
    dev.add_option("dir", text_);
  }

  // What is said of a command line; nothing when it is right.
  std::string said_of(std::vector<std::string> words) {
    std::ranges::reverse(words);
    try {
      app_.parse(std::move(words));
    } catch (const CLI::ParseError& error) {
      return describe(app_, error);
    }
    return "";
  }

  CLI::App app_{"", "prog"};
  std::string text_;
  std::vector<std::string> texts_;
  double number_ = 0;
  int whole_ = 0;
};

TEST_F(CommandLine, NamesTheWordThatIsNotKnown) {
  EXPECT_EQ(said_of({"bogus"}), "error: prog has no command \"bogus\"\nMore: prog --help\n");
  EXPECT_EQ(said_of({"rnu"}), "error: prog has no command \"rnu\"; did you mean run?\nMore: prog --help\n");
  EXPECT_EQ(said_of({"run", "craete", "x"}),
            "error: prog run has no command \"craete\"; did you mean create?\nMore: prog run --help\n");
  EXPECT_EQ(said_of({"run", "create", "--inptu=1"}),
            "error: prog run create has no option \"--inptu\"; did you mean --input?\nMore: prog run create "
            "--help\n");
  EXPECT_EQ(said_of({"--bogus"}), "error: prog has no option \"--bogus\"\nMore: prog --help\n");
  EXPECT_EQ(said_of({"run", "create", "a", "b"}),
            "error: \"b\" is one word too many\nMore: prog run create --help\n");
}

TEST_F(CommandLine, NamesWhatIsMissing) {
  EXPECT_EQ(said_of({}), "error: prog needs a command: run, dev\nMore: prog --help\n");
  EXPECT_EQ(said_of({"run"}), "error: prog run needs a command: create, list\nMore: prog run --help\n");
  EXPECT_EQ(said_of({"run", "create"}), "error: assistant is required\nMore: prog run create --help\n");
}

TEST_F(CommandLine, SaysWhatAValueMustBe) {
  const auto said = [this](std::vector<std::string> words) {
    const auto all = said_of(std::move(words));
    return all.substr(0, all.find('\n'));
  };
  EXPECT_EQ(said({"run", "create", "a", "--after", "-1"}), "error: --after: must be 0 or more, not \"-1\"");
  EXPECT_EQ(said({"run", "create", "a", "--after", "nan"}), "error: --after: must be 0 or more, not \"nan\"");
  EXPECT_EQ(said({"run", "create", "a", "--after", "0.5"}), "");
  EXPECT_EQ(said({"run", "list", "--limit", "1001"}),
            "error: --limit: must be a whole number, from 1 to 1000, not \"1001\"");
  EXPECT_EQ(said({"dev", "--processes", "0"}),
            "error: --processes: must be a whole number, 1 or more, not \"0\"");
  EXPECT_EQ(said({"dev", "--processes", "9999999999"}),
            "error: --processes: must be a whole number, 1 or more, not \"9999999999\"");
  for (const std::string port : {"70000", "-1", "http", "1.5"})
    EXPECT_EQ(said({"dev", "--port=" + port}),
              "error: --port: must be a port from 0 to 65535, not \"" + port + "\"");
  EXPECT_EQ(said({"dev", "--port", "0"}), "");
}

TEST_F(CommandLine, ListensOnAddressesOnly) {
  for (const std::string host : {"127.0.0.1", "0.0.0.0", "::", "::1", "localhost"})
    EXPECT_EQ(said_of({"dev", "--host=" + host}), "") << host;
  for (const std::string host : {"nonsense", "127.0.0", "127.0.0.1:80", "[::1]", "http://127.0.0.1"})
    EXPECT_EQ(said_of({"dev", "--host=" + host}),
              "error: --host: must be an IP address such as 127.0.0.1, or localhost, not \"" + host +
                  "\"\nMore: prog dev --help\n");
}

TEST_F(CommandLine, TakesOriginsAsBrowsersSendThem) {
  for (const std::string origin :
       {"*", "https://a.example", "http://localhost:3000", "http://[::1]:8080", "chrome-extension://abc"})
    EXPECT_EQ(said_of({"dev", "--cors-origin", origin, "folder"}), "") << origin;
  EXPECT_EQ(text_, "folder");
  for (const std::string wrong : {"nonsense", "a.example:80", "https://", "https://a.example/", "https://a/b",
                                  "https://a:x", "https://a:70000", "https://[::1", "null"})
    EXPECT_TRUE(said_of({"dev", "--cors-origin", wrong}).contains("--cors-origin: must be * or an origin"))
        << wrong;
}

TEST(Nearest, IsNotFarAway) {
  EXPECT_EQ(nearest("dve", {"run", "dev"}), "dev");
  EXPECT_EQ(nearest("assistants", {"assistant", "thread"}), "assistant");
  EXPECT_EQ(nearest("bogus", {"run", "bench"}), "");
  EXPECT_EQ(nearest("x", {"run", "dev"}), "");
}

}  // namespace
}  // namespace dg::cli
