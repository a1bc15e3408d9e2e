#include "api/input.hpp"

#include <gmock/gmock.h>

namespace dg::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Reads fields of a body, and tells which were wrong.
class BodyTest : public ::testing::Test {
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
  EXPECT_EQ(b.uuid("u"), "6ba7b810-9dad-11d1-80b4-00c04fd430c8") << "as this server writes ids";
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

TEST_F(BodyTest, ListsHoldStringsOfOneKind) {
  auto b = body(
      R"({"l":["x"],"ids":["6BA7B810-9DAD-11D1-80B4-00C04FD430C8"],"n":["a","b"],"one":"x","bad":["x"],
          "odd":["a","z"],"none":[]})");
  EXPECT_THAT(b.list("l"), ElementsAre("x"));
  EXPECT_THAT(b.uuids("ids"), ElementsAre("6ba7b810-9dad-11d1-80b4-00c04fd430c8"));
  EXPECT_THAT(b.names("n", {"a", "b"}), ElementsAre("a", "b"));
  EXPECT_THAT(b.list("none"), IsEmpty());
  EXPECT_THAT(b.list("missing"), IsEmpty());
  EXPECT_THAT(wrong(b), IsEmpty());
  b.list("one");
  b.uuids("bad");
  b.names("odd", {"a", "b"});
  EXPECT_THAT(wrong(b), ElementsAre("one", "bad", "odd"));
  EXPECT_TRUE(b.is_wrong("one"));
  EXPECT_FALSE(b.is_wrong("l"));
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

// A query, and what reading it by `read` says is wrong.
class QueryTest : public ::testing::Test {
 protected:
  using Values = std::vector<std::pair<std::string, std::string>>;
  Query& query(Values values) {
    request_.query = std::move(values);
    return query_.emplace(request_);
  }
  std::string wrong() const {
    const auto status = query_->status();
    return status ? "" : status.error().fields.at(0).place;
  }

  net::Request request_;
  std::optional<Query> query_;
};

TEST_F(QueryTest, ListsComeAsBothClientsSendThem) {
  EXPECT_THAT(query({{"m", "a"}, {"x", "c"}, {"m", "b"}}).list("m"), ElementsAre("a", "b"));
  EXPECT_THAT(query({{"m", R"(["a","b"])"}}).list("m"), ElementsAre("a", "b"));
  EXPECT_THAT(query({{"m", R"("a")"}}).list("m"), ElementsAre("a"));
  EXPECT_THAT(query({{"m[]", "a"}, {"m[]", "b"}}).list("m"), ElementsAre("a", "b"));
  EXPECT_THAT(query({{"m", ""}}).list("m"), IsEmpty());
  EXPECT_THAT(query({}).list("m"), IsEmpty());
  EXPECT_THAT(query({{"m", "[broken"}, {"m", "\"half"}}).list("m"), ElementsAre("[broken", "\"half"));
}

TEST_F(QueryTest, NamesMayStandInOneValue) {
  EXPECT_THAT(query({{"m", "a,b"}, {"m", "c"}}).names("m", {"a", "b", "c"}), ElementsAre("a", "b", "c"));
  EXPECT_EQ(wrong(), "");
  for (const auto* bad : {"a,z", "a,", "A", "[1]", "[null]"}) {
    query({{"m", bad}}).names("m", {"a", "b"});
    EXPECT_EQ(wrong(), "m") << bad;
  }
}

TEST_F(QueryTest, FlagsAreThoseOfPythonsServers) {
  for (const auto* yes : {"true", "True", "1", "yes", "on", "Y", "t"})
    EXPECT_TRUE(query({{"f", yes}}).flag("f", false)) << yes;
  for (const auto* no : {"false", "FALSE", "0", "no", "off", "n", "f"})
    EXPECT_FALSE(query({{"f", no}}).flag("f", true)) << no;
  EXPECT_TRUE(query({}).flag("f", true));
  EXPECT_TRUE(query({{"f", ""}}).flag("f", true));
  EXPECT_EQ(wrong(), "");
  for (const auto* bad : {"banana", "2", "truee", " true", "null"}) {
    EXPECT_TRUE(query({{"f", bad}}).flag("f", true)) << bad;
    EXPECT_EQ(wrong(), "f") << bad;
  }
}

TEST_F(QueryTest, IntegersAreBounded) {
  EXPECT_EQ(query({}).integer("n", 10, 1, 100), 10);
  EXPECT_EQ(query({{"n", ""}}).integer("n", 10, 1, 100), 10);
  EXPECT_EQ(query({{"n", "100"}}).integer("n", 10, 1, 100), 100);
  EXPECT_EQ(wrong(), "");
  for (const auto* bad : {"0", "101", "1.5", "ten", " 5", "5 ", "+5", "99999999999999999999", "0x10"}) {
    EXPECT_EQ(query({{"n", bad}}).integer("n", 10, 1, 100), 10);
    EXPECT_EQ(wrong(), "n") << bad;
  }
}

TEST_F(QueryTest, EveryMistakeIsNamedAtOnce) {
  auto& all = query({{"n", "x"}, {"c", "z"}, {"f", "maybe"}});
  all.integer("n", 1, 0, 9);
  EXPECT_EQ(all.choice("c", "", {"a", "b"}), "");
  all.flag("f", false);
  const auto status = all.status();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().fields.size(), 3u);
}

TEST(PathUuid, IsAUuidOrNamed) {
  net::Request request;
  request.params["id"] = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
  EXPECT_EQ(path_uuid(request, "id"), request.params["id"]);
  request.params["id"] = "6BA7B810-9dad-11d1-80b4-00c04fd430C8";
  EXPECT_EQ(path_uuid(request, "id"), "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
  for (const auto* bad : {"", "1", "6ba7b810-9dad-11d1-80b4-00c04fd430c8x", "../../etc/passwd"}) {
    request.params["id"] = bad;
    const auto read = path_uuid(request, "id");
    ASSERT_FALSE(read) << bad;
    EXPECT_EQ(read.error().fields.at(0).place, "id");
  }
}

}  // namespace
}  // namespace dg::api
