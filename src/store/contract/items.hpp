// Memory items: searching them and their namespaces.
#pragma once

#include "store/contract/contract.hpp"

namespace dg::store::contract {

TEST_P(StoreContract, ItemIsReplacedAndItsTimeGrows) {
  apply(PutItem{{"a", "b"}, "k", R"({"n":1})"}, PutItem{{"a", "b"}, "k", R"({"n":2})"});
  const auto first = get(store().item({"a", "b"}, "k")).value();
  EXPECT_EQ(first.ns, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(first.value, R"({"n":2})");
  EXPECT_GT(first.updated_at, first.created_at);
  apply(PutItem{{"a", "b"}, "k", R"({"n":3})"});
  const auto second = get(store().item({"a", "b"}, "k")).value();
  EXPECT_EQ(second.created_at, first.created_at);
  EXPECT_GT(second.updated_at, first.updated_at);
  apply(EraseItem{{"a", "b"}, "k"});
  EXPECT_FALSE(get(store().item({"a", "b"}, "k")));
}

TEST_P(StoreContract, ItemsAreSearchedByPrefixAndFilter) {
  apply(PutItem{{"a"}, "1", R"({"n":1,"s":"x","o":{"p":1,"q":2}})"});
  apply(PutItem{{"a", "b"}, "2", R"({"n":2,"s":"y","l":[1,2]})"});
  apply(PutItem{{"ab"}, "3", R"({"n":3})"});
  apply(PutItem{{"a\x1f"
                 "b"},
                "4",
                R"({"n":4})"});
  const auto keys = [&](std::vector<std::string> prefix, std::string filter, std::int64_t limit = 10,
                        std::int64_t offset = 0) {
    std::string out;
    for (const auto& item : get(store().items({std::move(prefix), std::move(filter), limit, offset})))
      out += item.key;
    return out;
  };
  EXPECT_EQ(keys({}, "{}"), "4321");  // newest first
  EXPECT_EQ(keys({"a"}, "{}"), "21");
  EXPECT_EQ(keys({"a", "b"}, "{}"), "2");
  EXPECT_EQ(keys({}, "{}", 2, 1), "32");
  EXPECT_EQ(keys({}, R"({"n":2})"), "2");
  EXPECT_EQ(keys({}, R"({"n":{"$gt":1,"$lte":3}})"), "32");
  EXPECT_EQ(keys({}, R"({"n":{"$gte":2}})", 1, 1), "3");
  EXPECT_EQ(keys({}, R"({"n":{"$lt":2.5}})"), "21");
  EXPECT_EQ(keys({}, R"({"s":{"$eq":"x"}})"), "1");
  EXPECT_EQ(keys({}, R"({"s":{"$ne":"x"}})"), "432");
  EXPECT_EQ(keys({}, R"({"o":{"p":1}})"), "1");
  EXPECT_EQ(keys({}, R"({"l":[1,2]})"), "2");
  EXPECT_EQ(keys({}, R"({"l":[1]})"), "");
  EXPECT_EQ(keys({}, R"({"n":1.0,"s":"x"})"), "1");
  apply(PutItem{{"a"}, "1", R"({"n":9})"});
  EXPECT_EQ(keys({}, "{}", 1), "1");
}

TEST_P(StoreContract, NamespacesAreListedByPattern) {
  using Namespaces = std::vector<std::vector<std::string>>;
  for (const auto& ns : Namespaces{{"b"}, {"a", "x", "1"}, {"a", "y", "1"}, {"a", "y", "2"}})
    apply(PutItem{ns, "k", "{}"});
  EXPECT_EQ(get(store().namespaces({})),
            (Namespaces{{"a", "x", "1"}, {"a", "y", "1"}, {"a", "y", "2"}, {"b"}}));
  EXPECT_EQ(get(store().namespaces({.prefix = {"a"}, .suffix = {}, .max_depth = 2})),
            (Namespaces{{"a", "x"}, {"a", "y"}}));
  EXPECT_EQ(get(store().namespaces({.prefix = {"*", "y"}, .suffix = {}})),
            (Namespaces{{"a", "y", "1"}, {"a", "y", "2"}}));
  EXPECT_EQ(get(store().namespaces({.prefix = {}, .suffix = {"*", "1"}})),
            (Namespaces{{"a", "x", "1"}, {"a", "y", "1"}}));
  EXPECT_EQ(get(store().namespaces({.prefix = {}, .suffix = {}, .limit = 1, .offset = 1})),
            (Namespaces{{"a", "y", "1"}}));
  EXPECT_TRUE(get(store().namespaces({.prefix = {"a", "x", "1", "z"}, .suffix = {}})).empty());
}

}  // namespace dg::store::contract
