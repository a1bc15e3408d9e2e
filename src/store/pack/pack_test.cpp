#include "store/pack/pack.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <set>

#include "store/delta/packing.hpp"
#include "store/delta/recipe.hpp"
#include "store/pack/needs.hpp"

namespace dg::store::pack {
namespace {

Contents example() {
  Contents out;
  for (int i = 0; i < 20; ++i) {
    const auto id = "checkpoint " + std::to_string(i);
    out.checkpoints.push_back({i % 3 == 0 ? "sub" : "",
                               id,
                               "",
                               "run",
                               "other",
                               i % 2,
                               "{}",
                               R"({"m":"1"})",
                               "msgpack",
                               {std::string("\0\xff", 2)},
                               "null",
                               {}});
    out.writes.push_back({"", id, "task", -i, "path", "m", "t", {"write"}});
    out.tasks.push_back({"", id, "task", "{}"});
    out.events.push_back({"event", "run", i + 1, "RunStarted", "{}", "{}", 7 * i, 1'000'000 + i});
  }
  delta::Recipe recipe;
  recipe.add_range(10, 20);
  recipe.add_own("x");
  out.values.push_back({"", "m", "1", "t", 5, {recipe.encode()}});
  out.values.push_back({"", "n", "1", "t", 0, {"itself"}});
  out.requests.push_back({"run", R"({"input":1})"});
  return out;
}

TEST(Pack, ComesBackAsItWas) {
  const auto contents = example();
  EXPECT_EQ(decode(encode(contents)).value(), contents);
  EXPECT_EQ(decode(encode({})).value(), Contents{});
}

TEST(Pack, NumbersOfAnySizeComeBack) {
  using limits = std::numeric_limits<std::int64_t>;
  Contents contents;
  for (const auto number : {limits::min(), limits::max(), std::int64_t{0}, limits::min(), std::int64_t{-1}})
    contents.writes.push_back({"", "", "", number, "", "", "", {}});
  EXPECT_EQ(decode(encode(contents)).value(), contents);
}

TEST(Pack, SaysWhatItHolds) {
  const auto summary = summary_of("thread", example());
  EXPECT_EQ(summary.first_checkpoint_id, "checkpoint 0");
  EXPECT_EQ(summary.last_checkpoint_id, "checkpoint 9");
  for (const auto key : {key_of_run("run"), key_of_run("other"), key_of_namespace("thread", ""),
                         key_of_namespace("thread", "sub")})
    EXPECT_EQ(std::ranges::count(summary.keys, key), 1);
  std::set<std::int64_t> versions;
  for (const auto& value : example().values)
    versions.insert(key_of_version("thread", value.ns, value.version));
  EXPECT_FALSE(versions.empty());
  for (const auto key : versions) EXPECT_EQ(std::ranges::count(summary.keys, key), 1);
  EXPECT_EQ(summary.keys.size(), 4U + versions.size());
  Needs needs;
  ASSERT_TRUE(take_needs(summary.needs, needs));
  ASSERT_EQ(needs.size(), 1U);
  EXPECT_TRUE(needs[5].holds(10, 30));
  EXPECT_FALSE(needs[5].touches(0, 10) || needs[5].touches(30, 40));
}

TEST(Pack, DamageIsAnError) {
  const auto whole = encode(example());
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(decode(whole.substr(0, size)));
  EXPECT_FALSE(decode("\x02" + whole.substr(1)));
  // Behind the checksum: tables that are no tables.
  const auto tables = delta::unpack(std::string_view(whole).substr(1)).value();
  const auto pack_again = [](std::string_view bytes) { return "\x01" + delta::pack(bytes); };
  for (std::size_t size = 0; size < tables.size(); ++size)
    EXPECT_FALSE(decode(pack_again(tables.substr(0, size)))) << size;
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    auto damaged = tables;
    for (int changes = 0; changes < 3; ++changes)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    (void)decode(pack_again(damaged));
  }
}

TEST(Pack, DamagedNeedsAreToldFromWholeOnes) {
  const auto needs = summary_of("thread", example()).needs;
  Needs out;
  for (std::size_t size = 1; size < needs.size(); ++size)
    EXPECT_FALSE(take_needs(needs.substr(0, size), out));
}

}  // namespace
}  // namespace dg::store::pack
