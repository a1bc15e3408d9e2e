#include "cli/config/masking.hpp"

#include <gtest/gtest.h>

namespace dg::cli {
namespace {

TEST(Masking, HidesPasswordsAndTokensOfNats) {
  EXPECT_EQ(mask_nats_url("nats://localhost:4222"), "nats://localhost:4222");
  EXPECT_EQ(mask_nats_url("tls://me:secret@h:1"), "tls://me:***@h:1");
  EXPECT_EQ(mask_nats_url("nats://token@h:1"), "nats://***@h:1");
  EXPECT_EQ(mask_nats_url("nats://me:se@cret@h:1"), "nats://me:***@h:1");
}

TEST(Masking, HidesPasswordsOfADatabase) {
  EXPECT_EQ(mask_database_url("postgres://h/db"), "postgres://h/db");
  EXPECT_EQ(mask_database_url("postgres://me@h/db"), "postgres://me@h/db");
  EXPECT_EQ(mask_database_url("postgres://me:secret@h1:1,h2:2/db"), "postgres://me:***@h1:1,h2:2/db");
  EXPECT_EQ(mask_database_url("postgres://me:s?e@h/db?sslmode=require"),
            "postgres://me:***@h/db?sslmode=require");
  EXPECT_EQ(mask_database_url("postgres://h/db?password=secret&user=me&sslpassword=secret"),
            "postgres://h/db?password=***&user=me&sslpassword=***");
  EXPECT_EQ(mask_database_url("postgres://h/db?options=a@b"), "postgres://h/db?options=a@b");
}

// libpq reads these otherwise than their writer meant; the password must not show all the same.
TEST(Masking, HidesPasswordsThatWereNotEncoded) {
  for (const auto* const url :
       {"postgres://me:se@cret@h/db", "postgres://me:12/cret@h/db", "postgres://me:se@12/cret@h/db",
        "postgres://h/db?pass%77ord=cret", "postgres://h/db?PASSWORD=cret"})
    EXPECT_FALSE(mask_database_url(url).contains("cret")) << url;
}

TEST(Masking, ShowsOfAnUnreadableUrlWhatIsNoSecret) {
  for (const auto* const open :
       {"localhost:4222", "mysql://h/db", "http://h:80,g:81/", "nats://h:99999", "x"})
    EXPECT_EQ(mask_unreadable_url(open), open);
  EXPECT_EQ(mask_unreadable_url("postgres://me:cret"), "postgres://***");
  EXPECT_EQ(mask_unreadable_url("postgres://me:123456"), "postgres://***");
  EXPECT_EQ(mask_unreadable_url("me:1@h"), "***");
  EXPECT_EQ(mask_unreadable_url("host=h password=cret"), "***");
}

}  // namespace
}  // namespace dg::cli
