// Sets of addresses: what `10.0.0.0/8` and `fd00::/8` name.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace dg::cli {

// All addresses that begin as `address` does, up to its first `prefix` bits.
struct Network {
  boost::asio::ip::address address;  // its other bits are zero
  unsigned prefix = 0;
  bool operator==(const Network&) const = default;
};

// Reads an address, which is a network of its own, or an address with the length of its prefix. IPv4 inside
// IPv6
// (::ffff:10.0.0.0/104) becomes IPv4.
std::optional<Network> parse_network(std::string_view text);

// Whether the network has the address. A peer that a dual-stack socket shows as ::ffff:10.1.2.3 is 10.1.2.3.
bool contains(const Network& network, const boost::asio::ip::address& address);

std::string to_string(const Network& network);

}  // namespace dg::cli
