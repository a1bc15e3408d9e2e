// Every type of parameter comes back as it went, alone, as a null and in arrays.
#include "store/postgres/params.hpp"

#include <cstdint>
#include <limits>

#include "store/postgres/testing/connected.hpp"

namespace dg::store::postgres {
namespace {

class ParamsTest : public testing::Connected {
 protected:
  // What the expression gives for the parameters, as one text; nulls as "-". Each time it is another
  // statement: one that is prepared has the types of its first parameters.
  template <class... Values>
  std::string echo(std::string_view expression, const Values&... values) {
    return text(fmt::format("SELECT coalesce(({})::text, '-') -- {}", expression, ++echoes_), values...);
  }

 private:
  int echoes_ = 0;
};

constexpr auto smallest = std::numeric_limits<std::int64_t>::min();
constexpr auto largest = std::numeric_limits<std::int64_t>::max();

TEST_F(ParamsTest, AreReadAsTheyWere) {
  const std::string bytes("\0\x01\xff", 3);
  const auto time = from_micros(1'700'000'000'123'456);
  auto rows = query("SELECT $1, $2, $3, $4, $5, $6", "tëxt", Blob{bytes}, smallest, true, time,
                    Jsonb{R"({"a": [1, "ü"]})"});
  ASSERT_TRUE(rows && rows->next());
  EXPECT_EQ(rows->text(), "tëxt");
  EXPECT_EQ(rows->view(), bytes);
  EXPECT_EQ(rows->integer(), smallest);
  EXPECT_TRUE(rows->flag());
  EXPECT_EQ(rows->time(), time);
  // Behind the format's version.
  EXPECT_EQ(rows->view().substr(1), R"({"a": [1, "ü"]})");
}

TEST_F(ParamsTest, AreWhatTheServerTakesThemFor) {
  EXPECT_EQ(echo("$1", std::string_view("a")), "a");
  EXPECT_EQ(echo("$1", std::string()), "");
  EXPECT_EQ(echo("$1", Blob{std::string("\0\xfe", 2)}), "\\x00fe");
  EXPECT_EQ(echo("$1 + $2", largest, smallest), "-1");
  EXPECT_EQ(echo("$1", 7u), "7");
  EXPECT_EQ(echo("$1 AND NOT $2", true, false), "true");
  EXPECT_EQ(echo("$1 AT TIME ZONE 'UTC'", from_micros(0)), "1970-01-01 00:00:00");
  EXPECT_EQ(echo("$1 AT TIME ZONE 'UTC'", from_micros(-1)), "1969-12-31 23:59:59.999999");
  EXPECT_EQ(echo("$1 -> 'a'", Jsonb{R"({"a":{"b":null}})"}), R"({"b": null})");
}

TEST_F(ParamsTest, MayBeNull) {
  EXPECT_EQ(echo("$1", std::optional<std::string>()), "-");
  EXPECT_EQ(echo("$1", std::optional<std::string>("here")), "here");
  EXPECT_EQ(echo("$1", std::optional<std::int64_t>()), "-");
  EXPECT_EQ(echo("$1", std::optional<Blob>()), "-");
  EXPECT_EQ(echo("$1", std::optional<bool>()), "-");
  EXPECT_EQ(echo("$1", std::optional<WallTime>()), "-");
  EXPECT_EQ(echo("$1", std::optional<Jsonb>()), "-");
  auto rows = query("SELECT NULL::text, NULL::timestamptz, 'x', NULL::text, now()");
  ASSERT_TRUE(rows && rows->next());
  EXPECT_EQ(rows->optional_text(), std::nullopt);
  EXPECT_EQ(rows->optional_time(), std::nullopt);
  EXPECT_EQ(rows->optional_text(), "x");
  rows->skip();
  EXPECT_FALSE(rows->is_null());
  EXPECT_NE(rows->optional_time(), std::nullopt);
}

TEST_F(ParamsTest, MayBeArrays) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(echo("$1", Texts{"a", "", "b,\"c\""}), R"({a,"","b,\"c\""})");
  EXPECT_EQ(echo("$1", Texts{}), "{}");
  EXPECT_EQ(echo("$1", std::vector<std::string_view>{"v"}), "{v}");
  EXPECT_EQ(echo("$1", std::vector<std::int64_t>{smallest, 0, largest}),
            fmt::format("{{{},0,{}}}", smallest, largest));
  EXPECT_EQ(echo("$1", std::vector<bool>{true, false}), "{t,f}");
  EXPECT_EQ(echo("$1", std::vector<Blob>{{std::string("\0", 1)}, {""}}), R"({"\\x00","\\x"})");
  EXPECT_EQ(echo("$1", std::vector<Jsonb>{{"[1]"}, {"2"}}), "{[1],2}");
  EXPECT_EQ(echo("($1)[1] AT TIME ZONE 'UTC'", std::vector<WallTime>{from_micros(1)}),
            "1970-01-01 00:00:00.000001");
}

TEST_F(ParamsTest, MayBeArraysWithNulls) {
  EXPECT_EQ(echo("$1", std::vector<std::optional<std::string>>{"a", std::nullopt, "NULL"}),
            R"({a,NULL,"NULL"})");
  EXPECT_EQ(echo("$1", std::vector<std::optional<std::int64_t>>{std::nullopt, 3}), "{NULL,3}");
  EXPECT_EQ(echo("$1", std::vector<std::optional<WallTime>>{std::nullopt}), "{NULL}");
  EXPECT_EQ(echo("$1", std::vector<std::optional<Blob>>{std::nullopt, Blob{"x"}}), R"({NULL,"\\x78"})");
  EXPECT_EQ(echo("$1", std::vector<std::optional<bool>>{false, std::nullopt}), "{f,NULL}");
  EXPECT_EQ(echo("$1", std::vector<std::optional<Jsonb>>{std::nullopt, Jsonb{"1"}}), "{NULL,1}");
}

}  // namespace
}  // namespace dg::store::postgres
