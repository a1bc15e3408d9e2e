// Addresses of machines, and sets of them: what `10.0.0.0/8` and `fd00::/8` name.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dg::net {

using Address = boost::asio::ip::address;

// The address as the rest of the program compares it: what a dual-stack socket shows as ::ffff:10.1.2.3 is
// 10.1.2.3.
Address unmapped(const Address& address);

// All addresses that begin as `address` does, up to its first `prefix` bits.
struct Network {
  Address address;  // its other bits are zero
  unsigned prefix = 0;
  bool operator==(const Network&) const = default;
};

using Networks = std::vector<Network>;

// Reads an address, which is a network of its own, or an address with the length of its prefix. IPv4 inside
// IPv6 (::ffff:10.0.0.0/104) becomes IPv4.
std::optional<Network> parse_network(std::string_view text);

// Whether the network has the address.
bool contains(const Network& network, const Address& address);
bool contains(const Networks& networks, const Address& address);

std::string to_string(const Network& network);

}  // namespace dg::net
