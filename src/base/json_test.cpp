#include "base/json.hpp"

#include <gtest/gtest.h>

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
  EXPECT_TRUE(contains(View(R"({"a":1})"), View("{}")));
  EXPECT_TRUE(equal(View("1.0"), View("1")));
  EXPECT_EQ(merge(View(R"({"a":1,"b":2})"), View(R"({"b":3,"c":4})")), R"({"a":1,"b":3,"c":4})");
}

}  // namespace
}  // namespace dg::json
