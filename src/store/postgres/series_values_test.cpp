#include "store/postgres/series_values.hpp"

#include "store/delta/packing.hpp"
#include "store/delta/recipe.hpp"
#include "store/postgres/testing/connected.hpp"

namespace dg::store::postgres {
namespace {

// Logs whose byte at each place is known: series s has s + place, as letters.
class SeriesValuesTest : public testing::Connected {
 protected:
  SeriesValuesTest() : Connected(testing::Content::schema) {}

  static std::string log(std::int64_t series, std::int64_t from, std::int64_t end) {
    std::string out;
    for (auto at = from; at < end; ++at) out += static_cast<char>('a' + (series + at) % 26);
    return out;
  }
  void add_part(std::int64_t series, std::int64_t at, std::int64_t size) {
    add_bytes(series, at, delta::pack(log(series, at, at + size)));
  }
  void add_bytes(std::int64_t series, std::int64_t at, std::string packed) {
    auto done = loop_.wait(connection_->query(
        "INSERT INTO checkpoint_series_parts (series, at, size, data) VALUES ($1, $2, 1, $3)", series, at,
        Blob{std::move(packed)}));
    ASSERT_TRUE(done) << done.error().message;
  }
  static delta::Ref ref(std::int64_t series, std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges,
                        const std::string& own = "") {
    delta::Recipe recipe;
    for (const auto& [at, size] : ranges) recipe.add_range(at, size);
    recipe.add_own(own);
    return {series, recipe.encode()};
  }
  Outcome<std::vector<std::string>> values(std::vector<delta::Ref> refs) {
    return loop_.wait(read_series_values(*connection_, std::move(refs)));
  }
  // The message of the failure to read it.
  std::string failure(delta::Ref ref) {
    const auto read = values({std::move(ref)});
    return read ? "" : read.error().message;
  }
};

TEST_F(SeriesValuesTest, ManyValuesAreReadAtOnce) {
  using Texts = std::vector<std::string>;
  for (std::int64_t at = 0; at < 1000; at += 100) add_part(1, at, 100);
  add_part(2, 0, 5000);
  add_part(3, 700, 10);  // what was before is not needed any more
  EXPECT_EQ(values({}).value(), Texts{});
  EXPECT_EQ(values({ref(1, {}, "only its own")}).value(), Texts{"only its own"});
  EXPECT_EQ(values({ref(1, {{0, 1000}}), ref(2, {{4990, 10}, {3, 1}}, "!"), ref(1, {{250, 1}}),
                    ref(3, {{702, 8}}), ref(1, {{100, 100}})})
                .value(),
            (Texts{log(1, 0, 1000), log(2, 4990, 5000) + log(2, 3, 4) + "!", log(1, 250, 251),
                   log(3, 702, 710), log(1, 100, 200)}));
}

TEST_F(SeriesValuesTest, OnlyPartsThatAreNeededAreFetched) {
  for (std::int64_t at = 0; at < 1000; at += 100) add_part(1, at, 100);
  SeriesValues wanted;
  EXPECT_TRUE(wanted.empty());
  wanted.want(ref(1, {{150, 100}, {899, 2}}));
  wanted.want(ref(1, {{150, 10}}));
  Pipeline pipeline;
  wanted.add_to(pipeline);
  auto rows = loop_.wait(connection_->run(std::move(pipeline))).value();
  EXPECT_EQ(rows[0].size(), 4);  // those that begin at 100, 200, 800 and 900
}

TEST_F(SeriesValuesTest, MissingAndDamagedPartsAreFailures) {
  add_part(1, 0, 100);
  add_part(1, 200, 100);
  add_bytes(2, 0, "\x7f damaged");
  const std::string torn = "parts of a stored value are missing (series 1); run `duragraph verify`";
  EXPECT_EQ(failure(ref(1, {{50, 51}})), torn);
  EXPECT_EQ(failure(ref(1, {{150, 10}})), torn);
  EXPECT_EQ(failure(ref(1, {{290, 11}})), torn);
  EXPECT_EQ(failure(ref(1, {{std::uint64_t{1} << 61, 11}})), torn);
  EXPECT_EQ(failure({1, "\x01"}), torn);
  EXPECT_NE(failure(ref(2, {{0, 1}})).find("series 2"), std::string::npos);
  EXPECT_NE(failure(ref(9, {{0, 1}})).find("series 9"), std::string::npos);
  EXPECT_EQ(values({ref(1, {{200, 100}})}).value().front(), log(1, 200, 300));
}

}  // namespace
}  // namespace dg::store::postgres
