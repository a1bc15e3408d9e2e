#include "store/spans.hpp"

#include <gtest/gtest.h>

namespace dg::store {
namespace {

TEST(Spans, WhatTouchesIsJoined) {
  Spans spans;
  spans.add(3, 5);
  spans.add(8, 9);
  EXPECT_FALSE(spans.holds(3, 9));
  spans.add(5, 8);
  EXPECT_TRUE(spans.holds(3, 9));
  EXPECT_FALSE(spans.holds(2, 4));
  EXPECT_FALSE(spans.holds(8, 10));
  spans.add(1, 20);
  EXPECT_TRUE(spans.holds(1, 20));
  EXPECT_TRUE(spans.holds(7, 7));
}

TEST(Spans, PartsAreSeen) {
  Spans spans;
  spans.add(3, 5);
  EXPECT_TRUE(spans.touches(4, 9));
  EXPECT_TRUE(spans.touches(1, 4));
  EXPECT_FALSE(spans.touches(5, 9));
  EXPECT_FALSE(spans.touches(1, 3));
  EXPECT_FALSE(spans.touches(4, 4));
}

TEST(Spans, TheFirstFreeNumberIsFound) {
  Spans spans;
  EXPECT_EQ(spans.first_free(0), 0);
  EXPECT_EQ(spans.first_free(2), 1);
  spans.add(2, 3);
  EXPECT_EQ(spans.first_free(2), 1);
  spans.add(1, 2);
  EXPECT_EQ(spans.first_free(2), 0);
  EXPECT_EQ(spans.first_free(9), 3);
}

}  // namespace
}  // namespace dg::store
