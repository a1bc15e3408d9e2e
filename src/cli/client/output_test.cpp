#include "cli/client/output.hpp"

#include <gtest/gtest.h>

namespace dg::cli {
namespace {

TEST(Table, AlignsByCodePoints) {
  EXPECT_EQ(format_table({{"ID", "NAME"}, {"grün", "x"}, {"1", ""}}), "ID    NAME\ngrün  x\n1\n");
}

TEST(IndentJson, LaysOutNestedValues) {
  EXPECT_EQ(indent_json(R"({"a":[1,{}],"b":[],"c":"ü"})"),
            "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": [],\n  \"c\": \"ü\"\n}");
}

}  // namespace
}  // namespace dg::cli
