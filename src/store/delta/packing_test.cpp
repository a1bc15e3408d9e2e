#include "store/delta/packing.hpp"

#include <gtest/gtest.h>

namespace dg::store::delta {
namespace {

TEST(Packing, WhatIsPackedComesBack) {
  for (const std::string& bytes : {std::string(), std::string("short"), std::string(1000, 'a'),
                                   std::string((16U << 20) + 1, '\0')})  // as small as zstd makes anything
    for (const auto effort : {Effort::quick, Effort::thorough})
      EXPECT_TRUE(unpack(pack(bytes, effort)) == bytes) << bytes.size();
}

TEST(Packing, AHeaderThatClaimsMoreThanItsBlocksCanHoldIsRefused) {
  // The magic number, a descriptor of eight bytes for the size, 2 GiB, and an empty last block.
  const std::string forged("\x01\x28\xb5\x2f\xfd\xe0\0\0\0\x80\0\0\0\0\x01\0\0", 17);
  EXPECT_EQ(unpack(forged), std::nullopt);
}

}  // namespace
}  // namespace dg::store::delta
