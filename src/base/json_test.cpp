#include "base/json.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace dg::json {
namespace {

TEST(JsonValidate, AcceptsAndRefuses) {
  EXPECT_TRUE(validate(R"({"a":[1,2.5,"x",null,true]})", client_rules));
  EXPECT_TRUE(validate("123456789012345678901234567890", client_rules));
  EXPECT_EQ(validate("{", client_rules).error().code, Errc::bad_request);
  EXPECT_EQ(validate("", client_rules).error().code, Errc::bad_request);
  EXPECT_EQ(validate("\"\xff\"", client_rules).error().code, Errc::bad_request);
  EXPECT_EQ(validate("[1]]", client_rules).error().code, Errc::bad_request);
  EXPECT_EQ(validate("[1e400, 01]", worker_rules).error().code, Errc::bad_request);
  EXPECT_EQ(validate("[12345678901234567890123, 1.]", worker_rules).error().code, Errc::bad_request);
  EXPECT_EQ(validate("NaN", client_rules).error().code, Errc::bad_request);
}

TEST(JsonValidate, NulAndHugeNumbersAreForWorkersOnly) {
  EXPECT_EQ(validate(R"(["a\u0000"])", client_rules).error().code, Errc::invalid_argument);
  EXPECT_TRUE(validate(R"(["a\\u0000"])", client_rules));
  EXPECT_TRUE(validate(R"(["a\u0000"])", worker_rules));
  EXPECT_EQ(validate("[1e400]", client_rules).error().code, Errc::invalid_argument);
  EXPECT_TRUE(validate("[1e400]", worker_rules));
  EXPECT_TRUE(validate("[1e-400, 12345678901234567890123]", client_rules));
  EXPECT_TRUE(validate("[" + std::string(400, '7') + ", \"a\\\"1e\"]", worker_rules));
}

TEST(JsonValidate, NothingMayFollowBehindANul) {
  for (const std::string number : {"1", "123456789012345678901234567890"})
    EXPECT_EQ(validate(number + std::string("\0junk", 5), worker_rules).error().code, Errc::bad_request);
}

// Such numbers are looked at only in documents that hold others which need RapidJSON.
TEST(JsonValidate, HugeIsANumbersValueAndNotItsForm) {
  const std::string big = "[123456789012345678901234567890,";
  EXPECT_TRUE(validate(big + "0." + std::string(400, '0') + "1]", client_rules));
  EXPECT_TRUE(validate(big + std::string(310, '1') + "e-10]", client_rules));
  EXPECT_EQ(validate(big + std::string(410, '1') + "e-10]", client_rules).error().code,
            Errc::invalid_argument);
}

TEST(JsonValidate, DepthIsBounded) {
  EXPECT_TRUE(validate(std::string(512, '[') + "1" + std::string(512, ']'), client_rules));
  EXPECT_EQ(validate(std::string(513, '[') + "1" + std::string(513, ']'), client_rules).error().code,
            Errc::bad_request);
  EXPECT_EQ(validate(std::string(100000, '['), client_rules).error().code, Errc::bad_request);
}

TEST(JsonView, ReadsInPlace) {
  const View v(R"( { "a" : {"b":[1, "x\u00e9\n", 1e3]} , "k\"q": false, "a2": 1.5, "dup":1,"dup":2 } )");
  EXPECT_EQ(v["a"].raw(), R"({"b":[1, "x\u00e9\n", 1e3]})");
  const auto list = v["a"]["b"].elements();
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].integer(), 1);
  EXPECT_EQ(list[1].string(), "x\xc3\xa9\n");
  EXPECT_EQ(list[2].integer(), 1000);
  EXPECT_EQ(v["k\"q"].boolean(), false);
  EXPECT_EQ(v["a2"].integer(), std::nullopt);
  EXPECT_EQ(v["dup"].integer(), 2);
  EXPECT_TRUE(v["missing"].is_null());
  EXPECT_FALSE(v.find("missing"));
  EXPECT_EQ(v.members().size(), 5u);
  EXPECT_EQ(View(R"("\ud83d\ude00\ud83d")").string(), "\xf0\x9f\x98\x80\xef\xbf\xbd");
}

TEST(JsonView, NumbersBeyondADoubleKeepTheirSide) {
  EXPECT_EQ(View("1e400").number(), HUGE_VAL);
  EXPECT_EQ(View("-1e400").number(), -HUGE_VAL);
  EXPECT_EQ(View("1e-400").number(), 0.0);
  EXPECT_EQ(compare(View("-1e400"), View("1e-400")), -1);
}

TEST(JsonView, StringsEndAtTheirFirstQuoteThatIsNotEscaped) {
  const View v(R"(["", "\"", "\\", "a\\\"", "\\\\", "\"\"", "b" ])");
  std::vector<std::string> strings;
  for (const auto element : v.elements()) strings.push_back(element.string());
  EXPECT_EQ(strings, (std::vector<std::string>{"", "\"", "\\", "a\\\"", "\\\\", "\"\"", "b"}));
}

TEST(JsonWriter, WritesCompactJson) {
  Writer w;
  w.begin_object().key("a").integer(-1).key("b").begin_array().string("x\"\n\x01").null().end_array();
  w.key("c").begin_object().end_object().key("d").raw("[1]").end_object();
  EXPECT_EQ(w.text(), "{\"a\":-1,\"b\":[\"x\\\"\\n\\u0001\",null],\"c\":{},\"d\":[1]}");
}

TEST(JsonOps, ContainsFollowsJsonb) {
  EXPECT_TRUE(contains(View(R"({"a":1,"b":{"c":[1,2]}})"), View(R"({"b":{"c":[2]}})")));
  EXPECT_FALSE(contains(View(R"({"a":1})"), View(R"({"a":2})")));
  EXPECT_TRUE(contains(View(R"(["x","y"])"), View(R"("x")")));
  EXPECT_FALSE(contains(View(R"({"a":["x"]})"), View(R"({"a":"x"})"))) << "only at the top";
  EXPECT_FALSE(contains(View("[1,2,[1,3]]"), View("[1,3]")));
  EXPECT_TRUE(contains(View(R"({"a":1})"), View("{}")));
  EXPECT_TRUE(equal(View("1.0"), View("1")));
  EXPECT_EQ(merge(View(R"({"a":1,"b":2})"), View(R"({"b":3,"c":4})")), R"({"a":1,"b":3,"c":4})");
  EXPECT_EQ(merge({View(R"({"a":1,"b":2})"), View(R"({"b":3})"), View("null"), View(R"({"c":4,"a":5})")}),
            R"({"b":3,"c":4,"a":5})");
}

TEST(JsonOps, OfMembersWithOneNameTheLastCounts) {
  const View twice(R"({"a":1,"a":2})");
  EXPECT_TRUE(equal(twice, twice));
  EXPECT_TRUE(equal(twice, View(R"({"a":2})")));
  EXPECT_FALSE(equal(View(R"({"a":2,"a":2})"), View(R"({"a":2,"b":3})")));
  EXPECT_TRUE(contains(View(R"({"a":2})"), twice));
}

// A request's body has room for a million members, and a loop for none of the seconds that comparing each
// with each takes.
TEST(JsonOps, TakeManyMembers) {
  Writer w;
  w.begin_object();
  for (int i = 0; i < 50000; ++i) w.key(std::to_string(i)).integer(i);
  const std::string text = w.end_object().take();
  const View many(text);
  EXPECT_TRUE(equal(many, many));
  EXPECT_TRUE(contains(many, many));
  EXPECT_EQ(merge(many, many), text);
}

}  // namespace
}  // namespace dg::json
