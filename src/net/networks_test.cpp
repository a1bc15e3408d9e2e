#include "net/networks.hpp"

#include <gtest/gtest.h>

namespace dg::net {
namespace {

bool network_has(std::string_view network, const char* address) {
  const auto read = parse_network(network);
  EXPECT_TRUE(read) << network;
  return read && contains(*read, boost::asio::ip::make_address(address));
}

TEST(Network, IsAnAddressOrAPrefix) {
  EXPECT_TRUE(network_has("10.1.2.3", "10.1.2.3"));
  EXPECT_FALSE(network_has("10.1.2.3", "10.1.2.4"));
  EXPECT_TRUE(network_has("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(network_has("10.0.0.0/8", "11.0.0.1"));
  EXPECT_TRUE(network_has("10.1.2.3/8", "10.200.0.1"));
  EXPECT_TRUE(network_has("172.16.0.0/12", "172.31.255.255"));
  EXPECT_FALSE(network_has("172.16.0.0/12", "172.32.0.0"));
  EXPECT_TRUE(network_has("0.0.0.0/0", "203.0.113.9"));
  EXPECT_TRUE(network_has("fd00::/8", "fd12::1"));
  EXPECT_FALSE(network_has("fd00::/8", "fe00::1"));
  EXPECT_TRUE(network_has("::1", "::1"));
}

TEST(Network, KnowsIPv4InsideIPv6) {
  EXPECT_TRUE(network_has("10.0.0.0/8", "::ffff:10.1.2.3"));
  EXPECT_TRUE(network_has("::ffff:10.0.0.0/104", "10.1.2.3"));
  EXPECT_FALSE(network_has("::/0", "10.1.2.3"));
}

TEST(Network, RefusesWhatIsNone) {
  for (const auto* const wrong :
       {"", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0", "fd00::/129", "fe80::1%1",
        "proxy.example", "10.0.0.0/x", "10.0.0.0/ 8", "[::1]"})
    EXPECT_FALSE(parse_network(wrong)) << wrong;
}

TEST(Network, IsShownAsItIsUsed) {
  EXPECT_EQ(to_string(parse_network("10.1.2.3/8").value()), "10.0.0.0/8");
  EXPECT_EQ(to_string(parse_network("10.1.2.3/32").value()), "10.1.2.3");
  EXPECT_EQ(to_string(parse_network("FD00::1").value()), "fd00::1");
}

}  // namespace
}  // namespace dg::net
