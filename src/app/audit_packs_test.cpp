// A database whose finished work is in packs is checked and rebuilt like any other.
#include "app/audit_testing.hpp"

namespace dg::app::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class PackedAuditTest : public AuditTest {
 protected:
  PackedAuditTest() : AuditTest(0) {}

  void SetUp() override {
    AuditTest::SetUp();
    thread_ = server_.make_thread();
    for (int turn = 0; turn < 3; ++turn) {
      run_ = server_.create(thread_);
      worker_.say(run_, 1,
                  saved(fmt::format("c{}", turn), R"({"messages":")" + std::string(600, 'm') + "\"}"));
      worker_.say(run_, 2, values("1"));
      worker_.complete(run_, 3);
    }
    server_.get(server_.app().threads.copy(the_server, thread_));
    pack_ = text("SELECT max(id) FROM packs WHERE thread_id = '" + thread_ + "'");
  }

  std::string text(const std::string& sql) {
    auto db = store::sqlite::Database::open({.path = path()});
    store::sqlite::Query query(**db, sql);
    return query.next() ? query.text() : std::string();
  }

  std::string thread_, pack_;
  domain::Run run_;
};

TEST_F(PackedAuditTest, WhatIsPackedIsClean) {
  EXPECT_EQ(text("SELECT count(*) FROM events WHERE aggregate_id = '" + run_.id + "'"), "0");
  EXPECT_EQ(text("SELECT count(*) FROM checkpoints WHERE thread_id = '" + thread_ + "'"), "1");
  EXPECT_THAT(findings(), IsEmpty());
  ASSERT_TRUE(server_.wait(server_.app().threads.remove(the_server, thread_)));
  EXPECT_THAT(findings(), IsEmpty());
  EXPECT_EQ(
      text("SELECT count(*) FROM packs WHERE thread_id = '" + thread_ + "' AND last_checkpoint_id <> ''"),
      "0");
}

TEST_F(PackedAuditTest, DamageOfPacksIsNamed) {
  const auto ids = " thread=" + thread_ + " pack=" + pack_ + ": ";
  const auto place = " WHERE id = " + pack_;
  expect_found("UPDATE packs SET first_checkpoint_id = 'a'" + place,
               "pack-column" + ids + "its first_checkpoint_id");
  expect_found("UPDATE packs SET needs = x'00'" + place, "pack-column" + ids + "its needs");
  expect_found("DELETE FROM pack_keys WHERE pack = " + pack_, "pack-column" + ids + "its entry in pack_keys");
  expect_found("UPDATE packs SET data = substr(data, 1, length(data) - 1)" + place, "pack-broken" + ids);
  EXPECT_THAT(findings(), Contains(StartsWith("head-wrong run=" + run_.id)));
  auto rebuilding = store::open_sqlite_rebuilding(path());
  const auto refused = store::audit::rebuild(*rebuilding, 10);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("the pack " + pack_ + " of the thread " + thread_));
}

TEST_F(PackedAuditTest, PackedRunsAreRebuilt) {
  const auto before = tables();
  damage(
      "UPDATE runs SET state = 'failed'; UPDATE requests SET request = '{}'; UPDATE threads SET status = "
      "'busy'");
  EXPECT_THAT(findings(), Not(IsEmpty()));
  rebuild();
  EXPECT_EQ(tables(), before);
  EXPECT_THAT(findings(), IsEmpty());
  damage("DELETE FROM runs");
  rebuild();
  EXPECT_EQ(tables(), before);
  EXPECT_THAT(findings(), IsEmpty());
}

}  // namespace
}  // namespace dg::app::testing
