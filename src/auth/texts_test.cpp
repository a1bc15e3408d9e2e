// The small texts: base64url, roles, users and keys.
#include <gtest/gtest.h>

#include "auth/api_key.hpp"
#include "auth/base64url.hpp"
#include "auth/identity.hpp"

namespace dg::auth {
namespace {

TEST(Base64Url, ComesBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    EXPECT_EQ(from_base64url(to_base64url(bytes)), bytes);
    bytes.push_back(static_cast<char>(i));
  }
  EXPECT_EQ(to_base64url("\xfb\xff"), "-_8");
}

TEST(Base64Url, HasOneFormForEachText) {
  EXPECT_EQ(from_base64url("-_8"), "\xfb\xff");
  for (const std::string wrong : {"-_9", "A", "-_8=", "-_8\n", " -_8", "+/8", "-_8.", "AAAAA"})
    EXPECT_FALSE(from_base64url(wrong)) << wrong;
}

TEST(Roles, HaveNames) {
  for (const auto role : {Role::admin, Role::editor, Role::viewer, Role::worker})
    EXPECT_EQ(role_from(to_string(role)), role);
  EXPECT_FALSE(role_from("root"));
  EXPECT_FALSE(role_from(""));
}

TEST(Users, AreShortTexts) {
  for (const std::string good : {"ann", "ann@example.com", "auth0|12", "Änne", "a b", "**"})
    EXPECT_TRUE(check_user(good)) << good;
  for (const std::string wrong : {"", "*", "a\nb", "\x7f", "a\x80", "a\x1f"})
    EXPECT_FALSE(check_user(wrong)) << wrong;
  EXPECT_FALSE(check_user(std::string("a\0b", 3)));
  EXPECT_FALSE(check_user(std::string(257, 'a')));
}

TEST(ApiKeys, HaveOneForm) {
  const auto random = make_system_random();
  const auto made = make_api_key(*random);
  const auto text = to_string(made);
  const auto read = parse_api_key(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->id, made.id);
  EXPECT_EQ(read->secret, made.secret);
  EXPECT_NE(make_api_key(*random).secret, made.secret);
  for (const auto& wrong : {text + "0", text.substr(1), text.substr(0, text.size() - 1), " " + text,
                            "dgk_" + std::string(81, 'g'), std::string("dgk_"), std::string()})
    EXPECT_FALSE(parse_api_key(wrong)) << wrong;
  auto upper = text;
  upper[4] = 'A';
  EXPECT_FALSE(parse_api_key(upper));
}

}  // namespace
}  // namespace dg::auth
