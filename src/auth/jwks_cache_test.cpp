#include "auth/jwks_cache.hpp"

#include <gmock/gmock.h>

#include "auth/auth_testing.hpp"
#include "base/log.hpp"
#include "base/virtual_time.hpp"

namespace dg::auth {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::SigningKey;

class JwksCacheTest : public ::testing::Test {
 protected:
  JwksCacheTest() { log::set_level(log::Level::error); }
  ~JwksCacheTest() override { world_.timers.run_for(minutes(1)); }

  void serve(const std::string& id) { text_ = R"({"keys":[)" + key_.jwk(id) + "]}"; }
  // The ids of the keys that a token with that id is checked with.
  std::string ids(const std::string& wanted) {
    const auto keys = world_.wait(cache_.keys_for(wanted));
    if (!keys) return keys.error().code == Errc::unavailable ? "unavailable" : keys.error().message;
    std::string out;
    for (const auto& key : **keys) out += key.id();
    return out;
  }
  Task<Result<std::string>> fetch() {
    ++fetches_;
    co_await sleep_for(world_.timers, seconds(1));
    if (text_.empty()) co_return fail(Errc::unavailable, "nobody answers");
    co_return text_;
  }

  VirtualWorld world_;
  SigningKey key_ = SigningKey::ed25519();
  std::string text_;
  int fetches_ = 0;
  JwksCache cache_{world_.timers, "there", [this] { return fetch(); }};
};

TEST_F(JwksCacheTest, KeysAreFetchedOnceAndKept) {
  serve("a");
  EXPECT_EQ(ids("a"), "a");
  EXPECT_EQ(ids("a"), "a");
  EXPECT_EQ(ids(""), "a");
  EXPECT_EQ(fetches_, 1);
}

TEST_F(JwksCacheTest, AKeyThatIsNotKnownIsLookedFor) {
  serve("a");
  EXPECT_EQ(ids("a"), "a");
  world_.timers.run_for(seconds(11));
  serve("b");
  EXPECT_EQ(ids("b"), "b") << "the new keys replace the old";
  EXPECT_EQ(fetches_, 2);
}

TEST_F(JwksCacheTest, InventionsDoNotMakeItAskAllTheTime) {
  serve("a");
  for (int i = 0; i < 100; ++i) EXPECT_EQ(ids("x" + std::to_string(i)), "a");
  EXPECT_EQ(fetches_, 1);
  world_.timers.run_for(seconds(11));
  EXPECT_EQ(ids("x"), "a");
  EXPECT_EQ(ids("x"), "a");
  EXPECT_EQ(fetches_, 2);
}

TEST_F(JwksCacheTest, OldKeysAreUsedWhileNewOnesAreFetched) {
  serve("a");
  EXPECT_EQ(ids("a"), "a");
  world_.timers.run_for(minutes(11));
  serve("b");
  EXPECT_EQ(ids("a"), "a");
  world_.timers.run_for(seconds(2));
  EXPECT_EQ(fetches_, 2);
  EXPECT_EQ(ids(""), "b");
}

TEST_F(JwksCacheTest, TheLastGoodKeysStayWhereAFetchFails) {
  serve("a");
  EXPECT_EQ(ids("a"), "a");
  for (const std::string wrong : {"", "<html>", R"({"keys":[]})"}) {
    world_.timers.run_for(minutes(11));
    text_ = wrong;
    EXPECT_EQ(ids("b"), "a") << wrong;
  }
}

TEST_F(JwksCacheTest, WithoutAnyKeyNobodyCanTell) {
  EXPECT_EQ(ids("a"), "unavailable");
  EXPECT_EQ(ids("a"), "unavailable");
  EXPECT_EQ(fetches_, 1) << "a source that does not answer is not pestered";
  world_.timers.run_for(seconds(11));
  serve("a");
  EXPECT_EQ(ids("a"), "a");
}

}  // namespace
}  // namespace dg::auth
