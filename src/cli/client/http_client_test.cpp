#include "cli/client/http_client.hpp"

#include <gtest/gtest.h>

namespace dg::cli {
namespace {

TEST(BaseUrl, IsWhatAnAddressMeans) {
  const std::string plain = "http://127.0.0.1:2024";
  for (const std::string given : {"", "/", "//", "/api/v1", "/api/v1/"})
    EXPECT_EQ(to_base_url(plain + given).value(), plain) << given;
  EXPECT_EQ(to_base_url("localhost:2024").value(), "http://localhost:2024");
  EXPECT_EQ(to_base_url("https://a.example/agents/api/v1").value(), "https://a.example/agents");
  EXPECT_EQ(to_base_url("http://[::1]:2024").value(), "http://[::1]:2024");
}

TEST(BaseUrl, IsNotMadeOfNonsense) {
  for (const std::string given : {"", "nonsense", "http://127.0.0.1:99999", "http://", "ftp://a.example",
                                  "http://a b", "localhost:x", "http://a.example?x=1"}) {
    const auto url = to_base_url(given);
    ASSERT_FALSE(url) << given;
    EXPECT_EQ(url.error().code, Errc::invalid_argument);
    EXPECT_TRUE(url.error().message.contains('"' + given + '"')) << url.error().message;
  }
}

}  // namespace
}  // namespace dg::cli
