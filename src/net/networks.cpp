#include "net/networks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <charconv>

namespace dg::net {
namespace {

namespace ip = boost::asio::ip;

constexpr unsigned mapped_bits = 96;  // before the IPv4 address in ::ffff:a.b.c.d

Address first_of(const Address& address, unsigned prefix) {
  const auto bits = static_cast<unsigned short>(prefix);
  if (address.is_v4()) return ip::network_v4(address.to_v4(), bits).canonical().address();
  return ip::network_v6(address.to_v6(), bits).canonical().address();
}

unsigned bits_of(const Address& address) {
  return address.is_v4() ? 32 : 128;
}

bool read_prefix(std::string_view text, unsigned most, unsigned& into) {
  const auto* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, into);
  return error == std::errc() && stop == end && into <= most;
}

}  // namespace

Address unmapped(const Address& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return ip::make_address_v4(ip::v4_mapped, address.to_v6());
}

std::optional<Network> parse_network(std::string_view text) {
  const auto slash = text.find('/');
  boost::system::error_code error;
  auto address = ip::make_address(std::string(text.substr(0, slash)), error);
  if (error) return std::nullopt;
  if (address.is_v6() && address.to_v6().scope_id() != 0) return std::nullopt;
  auto prefix = bits_of(address);
  if (slash != std::string_view::npos && !read_prefix(text.substr(slash + 1), bits_of(address), prefix))
    return std::nullopt;
  if (const auto inner = unmapped(address); inner != address && prefix >= mapped_bits) {
    address = inner;
    prefix -= mapped_bits;
  }
  return Network{first_of(address, prefix), prefix};
}

bool contains(const Network& network, const Address& address) {
  const auto peer = unmapped(address);
  if (peer.is_v4() != network.address.is_v4()) return false;
  return first_of(peer, network.prefix) == network.address;
}

bool contains(const Networks& networks, const Address& address) {
  return std::ranges::any_of(networks, [&](const Network& one) { return contains(one, address); });
}

std::string to_string(const Network& network) {
  if (network.prefix == bits_of(network.address)) return network.address.to_string();
  return fmt::format("{}/{}", network.address.to_string(), network.prefix);
}

}  // namespace dg::net
