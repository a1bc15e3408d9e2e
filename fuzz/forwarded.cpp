// Forwarded headers: whatever a client writes, what the proxy appends to it counts, or nothing does. An input
// is what a client sends as X-Forwarded-For or as Forwarded.
#include "api/client_address.hpp"
#include "base/log.hpp"
#include "target.hpp"

namespace dg::fuzz {
namespace {

using net::Address;

const Address proxy = boost::asio::ip::make_address("10.0.0.1");
const Address client = boost::asio::ip::make_address("2001:db8::9");  // which Forwarded has in quotes

Address found(const Address& peer, net::Headers headers) {
  static api::ClientAddresses addresses({*net::parse_network("10.0.0.0/8")});
  net::Request request;
  request.peer = peer;
  request.headers = std::move(headers);
  return addresses.of(request);
}

void check(std::string_view input) {
  log::set_level(log::Level::off);
  const std::string text(input);
  for (const std::string name : {"X-Forwarded-For", "Forwarded", "X-Real-IP"}) {
    expect(found(client, {{name, text}}) == client, "who is not trusted is itself", input);
    const auto alone = found(proxy, {{name, text}});
    expect(net::unmapped(alone) == alone, "an address has one form", input);
  }
  expect(found(proxy, {{"X-Forwarded-For", text + ", 2001:db8::9"}}) == client, "the appended address counts",
         input);
  expect(
      found(proxy, {{"X-Forwarded-For", text}, {"X-Forwarded-For", "[2001:db8::9]:1, 10.0.0.2"}}) == client,
      "the appended line counts", input);
  expect(found(proxy, {{"Forwarded", text}, {"Forwarded", "for=\"[2001:db8::9]\""}}) == client,
         "the appended line counts", input);
  const auto joined = found(proxy, {{"Forwarded", text + ", for=\"[2001:db8::9]\""}});
  expect(joined == client || joined == proxy, "the appended element counts, or none does", input);
}

const Registration forwarded_target("forwarded", 20'000, check);

}  // namespace
}  // namespace dg::fuzz
