#include "api/input.hpp"

#include <gmock/gmock.h>

namespace dg::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Reads fields of a body, and tells which were wrong.
class BodyTest : public testing::Test {
 protected:
  Body body(std::string text) {
    request_.body = std::move(text);
    auto read = Body::read(request_);
    if (!read) throw std::runtime_error(read.error().message);
    return *read;
  }
  static std::vector<std::string> wrong(const Body& body) {
    std::vector<std::string> out;
    const auto status = body.status();
    if (status) return out;
    EXPECT_EQ(status.error().code, Errc::invalid_argument);
    for (const auto& field : status.error().fields) {
      EXPECT_THAT(status.error().message, HasSubstr(field.place + ": " + field.message));
      out.push_back(field.place);
    }
    return out;
  }
  Errc refused(std::string text) {
    request_.body = std::move(text);
    const auto read = Body::read(request_);
    return read ? Errc::internal : read.error().code;
  }

  net::Request request_;
};

TEST_F(BodyTest, IsAJsonObjectOrNothing) {
  for (const auto* text : {"", "  \r\n", "{}", " {} "})
    EXPECT_TRUE(body(text).view().members().empty()) << text;
  for (const auto* text : {"{", "{}{}", "{'a':1}", "\xff", "{\"a\":01}"})
    EXPECT_EQ(refused(text), Errc::bad_request) << text;
  EXPECT_EQ(refused(std::string(600, '[') + std::string(600, ']')), Errc::bad_request);
  for (const auto* text : {"[]", "null", "1", "\"x\"", R"({"a":"\u0000"})", R"({"a":1e999})"})
    EXPECT_EQ(refused(text), Errc::invalid_argument) << text;
}

TEST_F(BodyTest, AbsentAndNullGiveTheDefaults) {
  for (const auto* text : {"{}", R"({"x":null})"}) {
    auto b = body(text);
    EXPECT_EQ(b.text("x", "d"), "d");
    EXPECT_EQ(b.optional_text("x"), std::nullopt);
    EXPECT_EQ(b.uuid("x"), std::nullopt);
    EXPECT_TRUE(b.boolean("x", true));
    EXPECT_EQ(b.integer("x", 7, 1, 10), 7);
    EXPECT_EQ(b.number("x", 1.5, 0), 1.5);
    EXPECT_EQ(b.object("x"), "{}");
    EXPECT_THAT(b.texts("x"), IsEmpty());
    EXPECT_EQ(b.choice("x", "a", {"a", "b"}), "a");
    b.unsupported("x", "");
    EXPECT_THAT(wrong(b), IsEmpty());
    EXPECT_EQ(b.required_text("x"), "");
    EXPECT_THAT(wrong(b), ElementsAre("x"));
  }
}

TEST_F(BodyTest, GoodFieldsComeAsTheyAre) {
  auto b = body(R"({"t":"é","u":"6BA7B810-9dad-11d1-80b4-00c04fd430c8","yes":true,"no":"false","i":10,"e":1e1,
                    "n":2.5,"o":{"a": 12345678901234567890},"one":"x","list":["x","y"],"c":"b","n0":0})");
  EXPECT_EQ(b.required_text("t"), "é");
  EXPECT_EQ(b.uuid("u"), "6BA7B810-9dad-11d1-80b4-00c04fd430c8");
  EXPECT_TRUE(b.boolean("yes", false));
  EXPECT_FALSE(b.boolean("no", true));
  EXPECT_EQ(b.integer("i", 0, 1, 10), 10);
  EXPECT_EQ(b.integer("e", 0, 1, 10), 10);
  EXPECT_EQ(b.number("n", 0, 0), 2.5);
  EXPECT_EQ(b.number("n0", 1, 0), 0);
  EXPECT_EQ(b.object("o"), R"({"a": 12345678901234567890})");
  EXPECT_EQ(b.any("list"), R"(["x","y"])");
  EXPECT_THAT(b.texts("one"), ElementsAre("x"));
  EXPECT_THAT(b.texts("list"), ElementsAre("x", "y"));
  EXPECT_EQ(b.choice("c", "a", {"a", "b"}), "b");
  EXPECT_THAT(wrong(b), IsEmpty());
}

TEST_F(BodyTest, EveryMistakeIsNamedAtOnce) {
  auto b = body(
      R"({"t":1,"u":"no","b":"yes","i":11,"f":1.5,"big":1e30,"n":-1,"o":[],"l":[1],"m":true,"c":"z","w":{}})");
  b.text("t");
  b.uuid("u");
  b.boolean("b", true);
  b.integer("i", 0, 1, 10);
  b.integer("f", 0, 1, 10);
  b.integer("big", 0, 1, 10);
  b.number("n", 0, 0);
  b.object("o");
  b.texts("l");
  b.texts("m");
  b.choice("c", "a", {"a", "b"});
  b.unsupported("w", "; poll instead");
  EXPECT_THAT(wrong(b), ElementsAre("t", "u", "b", "i", "f", "big", "n", "o", "l", "m", "c", "w"));
}

TEST_F(BodyTest, AWrongFieldIsNotMissingToo) {
  auto b = body(R"({"a":1})");
  b.required_text("a");
  EXPECT_THAT(wrong(b), ElementsAre("a"));
}

TEST_F(BodyTest, PlacesOfInnerObjectsAreWhole) {
  auto b = body(R"({"config":{"tags":1}})");
  Body inner(b.view()["config"], "config");
  inner.texts("tags");
  b.take_errors(inner);
  EXPECT_THAT(wrong(b), ElementsAre("config.tags"));
}

net::Request query(std::vector<std::pair<std::string, std::string>> values) {
  net::Request request;
  request.query = std::move(values);
  return request;
}

TEST(Query, ListsComeAsBothClientsSendThem) {
  EXPECT_THAT(query_list(query({{"m", "a"}, {"x", "c"}, {"m", "b"}}), "m"), ElementsAre("a", "b"));
  EXPECT_THAT(query_list(query({{"m", R"(["a","b"])"}}), "m"), ElementsAre("a", "b"));
  EXPECT_THAT(query_list(query({{"m", R"("a")"}}), "m"), ElementsAre("a"));
  EXPECT_THAT(query_list(query({{"m[]", "a"}, {"m[]", "b"}}), "m"), ElementsAre("a", "b"));
  EXPECT_THAT(query_list(query({{"m", ""}}), "m"), IsEmpty());
  EXPECT_THAT(query_list(query({}), "m"), IsEmpty());
  EXPECT_THAT(query_list(query({{"m", "[broken"}, {"m", "\"half"}}), "m"), ElementsAre("[broken", "\"half"));
}

TEST(Query, Flags) {
  for (const auto* yes : {"true", "True", "1"})
    EXPECT_TRUE(query_flag(query({{"f", yes}}), "f", false)) << yes;
  for (const auto* no : {"false", "0", "", "yes"})
    EXPECT_FALSE(query_flag(query({{"f", no}}), "f", true)) << no;
  EXPECT_TRUE(query_flag(query({}), "f", true));
}

TEST(Query, IntegersAreBounded) {
  EXPECT_EQ(query_integer(query({}), "n", 10, 1, 100), 10);
  EXPECT_EQ(query_integer(query({{"n", ""}}), "n", 10, 1, 100), 10);
  EXPECT_EQ(query_integer(query({{"n", "100"}}), "n", 10, 1, 100), 100);
  for (const auto* bad : {"0", "101", "1.5", "ten", " 5", "5 ", "+5", "99999999999999999999", "0x10"}) {
    const auto read = query_integer(query({{"n", bad}}), "n", 10, 1, 100);
    ASSERT_FALSE(read) << bad;
    EXPECT_EQ(read.error().code, Errc::invalid_argument);
    EXPECT_EQ(read.error().fields.at(0).place, "n");
  }
}

TEST(PathUuid, IsAUuidOrNamed) {
  net::Request request;
  request.params["id"] = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
  EXPECT_EQ(path_uuid(request, "id"), request.params["id"]);
  for (const auto* bad : {"", "1", "6ba7b810-9dad-11d1-80b4-00c04fd430c8x", "../../etc/passwd"}) {
    request.params["id"] = bad;
    const auto read = path_uuid(request, "id");
    ASSERT_FALSE(read) << bad;
    EXPECT_EQ(read.error().fields.at(0).place, "id");
  }
}

}  // namespace
}  // namespace dg::api
