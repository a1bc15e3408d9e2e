#include "api/client_address.hpp"

#include <gmock/gmock.h>

#include "base/log.hpp"

namespace dg::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

net::Networks networks(std::initializer_list<std::string_view> texts) {
  net::Networks out;
  for (const auto text : texts) out.push_back(net::parse_network(text).value());
  return out;
}

class ClientAddressTest : public ::testing::Test {
 public:
  ClientAddressTest() { log::set_level(log::Level::info); }  // which other tests turn down

 protected:
  std::string from(const char* peer, net::Headers headers) {
    net::Request request;
    request.peer = boost::asio::ip::make_address(peer);
    request.headers = std::move(headers);
    return addresses_.of(request).to_string();
  }
  // Behind two proxies, 10.0.0.1 the nearest.
  std::string proxied(const std::string& name, const std::string& value) {
    return from("10.0.0.1", {{name, value}});
  }
  std::string listed(const std::string& value) { return proxied("X-Forwarded-For", value); }
  std::string forwarded(const std::string& value) { return proxied("Forwarded", value); }

  ClientAddresses addresses_{networks({"10.0.0.0/8", "fd00::/8"})};
};

TEST_F(ClientAddressTest, WithoutAProxyItIsThePeers) {
  EXPECT_EQ(from("203.0.113.7", {}), "203.0.113.7");
  EXPECT_EQ(from("10.0.0.1", {}), "10.0.0.1");
}

TEST_F(ClientAddressTest, WhoIsNoTrustedProxyCannotSayWhoItIs) {
  for (const auto* name : {"X-Forwarded-For", "X-Real-IP", "x-forwarded-for"})
    EXPECT_EQ(from("203.0.113.7", {{name, "198.51.100.1"}}), "203.0.113.7") << name;
  EXPECT_EQ(from("203.0.113.7", {{"Forwarded", "for=198.51.100.1"}}), "203.0.113.7");
  EXPECT_EQ(from("203.0.113.7", {{"X-Forwarded-For", "198.51.100.1, 10.0.0.1"}}), "203.0.113.7");
}

TEST_F(ClientAddressTest, OfATrustedProxyTheNearestThatIsNotTrustedCounts) {
  EXPECT_EQ(listed("198.51.100.1"), "198.51.100.1");
  EXPECT_EQ(listed("1.2.3.4, 198.51.100.1"), "198.51.100.1") << "the client wrote the left one";
  EXPECT_EQ(listed("1.2.3.4,198.51.100.1 ,\t10.9.9.9"), "198.51.100.1");
  EXPECT_EQ(from("10.0.0.1", {{"X-Forwarded-For", "1.2.3.4"}, {"x-forwarded-for", "198.51.100.1"}}),
            "198.51.100.1");
  EXPECT_EQ(listed("10.3.3.3, 10.2.2.2"), "10.3.3.3") << "a client inside";
  EXPECT_EQ(from("fd00::1", {{"X-Forwarded-For", "2001:db8::9"}}), "2001:db8::9");
}

TEST_F(ClientAddressTest, ProxiesWriteAddressesInManyWays) {
  EXPECT_EQ(listed("198.51.100.1:4711"), "198.51.100.1");
  EXPECT_EQ(listed("2001:DB8::9"), "2001:db8::9");
  EXPECT_EQ(listed("[2001:db8::9]"), "2001:db8::9");
  EXPECT_EQ(listed("[2001:db8::9]:4711"), "2001:db8::9");
  EXPECT_EQ(listed("::ffff:198.51.100.1"), "198.51.100.1");
  EXPECT_EQ(listed("198.51.100.1, ::ffff:10.0.0.9"), "198.51.100.1");
  EXPECT_EQ(proxied("X-Real-IP", " 198.51.100.1"), "198.51.100.1");
}

TEST_F(ClientAddressTest, WhatCannotBeReadEndsTheSearch) {
  for (const auto* bad :
       {"unknown", "", "_hidden", "unix:", "198.51.100", "198.51.100.1:", "198.51.100.1:x", "[::1", "[::1]x",
        "[198.51.100.1]", "fe80::1%1", "198.51.100.1 1.2.3.4", "0x7f.1", "client.example"}) {
    EXPECT_EQ(listed(std::string("1.2.3.4, ") + bad), "10.0.0.1") << bad;
    EXPECT_EQ(listed(std::string("1.2.3.4, ") + bad + ", 10.9.9.9"), "10.9.9.9") << bad;
  }
  EXPECT_EQ(listed("1.2.3.4,"), "10.0.0.1") << "the proxy did not know its client";
}

TEST_F(ClientAddressTest, ForwardedIsReadByItsGrammar) {
  EXPECT_EQ(forwarded("for=198.51.100.1"), "198.51.100.1");
  EXPECT_EQ(forwarded("For=198.51.100.1;proto=https;by=10.0.0.1"), "198.51.100.1");
  EXPECT_EQ(forwarded("proto=https ; for=\"198.51.100.1:80\""), "198.51.100.1");
  EXPECT_EQ(forwarded("for=\"[2001:db8::9]:4711\""), "2001:db8::9");
  EXPECT_EQ(forwarded("for=1.2.3.4, for=198.51.100.1, for=10.9.9.9;host=\"a,b\\\"c\""), "198.51.100.1");
  EXPECT_EQ(from("10.0.0.1", {{"Forwarded", "for=1.2.3.4"}, {"Forwarded", "for=198.51.100.1"}}),
            "198.51.100.1");
  for (const auto* bad : {"for=unknown", "for=_gazonk", "proto=https", "for", "for=", "=1.2.3.4",
                          "for=198.51.100.1;for=1.2.3.4", "for=198.51.100.1;", "for=\"198.51.100.1"})
    EXPECT_EQ(forwarded(bad), "10.0.0.1") << bad;
}

// The proxy appends a quoted address to what a client has left open.
TEST_F(ClientAddressTest, AnOpenQuotationHidesNothing) {
  EXPECT_EQ(forwarded("for=1.2.3.4;x=\", for=\"[2001:db8::9]\""), "10.0.0.1");
  EXPECT_EQ(forwarded("for=1.2.3.4;x=\", for=198.51.100.1"), "10.0.0.1");
  EXPECT_EQ(from("10.0.0.1", {{"Forwarded", "for=1.2.3.4;x=\""}, {"Forwarded", "for=198.51.100.1"}}),
            "198.51.100.1");
}

TEST_F(ClientAddressTest, HeadersThatDisagreeAreNotBelieved) {
  EXPECT_EQ(from("10.0.0.1", {{"X-Forwarded-For", "198.51.100.1"}, {"X-Real-IP", "198.51.100.1"}}),
            "198.51.100.1");
  EXPECT_EQ(from("10.0.0.1", {{"X-Forwarded-For", "198.51.100.1"}, {"X-Real-IP", "10.9.9.9"}}),
            "198.51.100.1")
      << "another trusted proxy is no client";
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(from("10.0.0.1", {{"X-Forwarded-For", "198.51.100.1"}, {"Forwarded", "for=1.2.3.4"}}),
              "10.0.0.1");
  const auto log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("name different clients"));
  EXPECT_EQ(std::ranges::count(log, '\n'), 1);
}

TEST_F(ClientAddressTest, AForgottenProxyIsToldOfOnce) {
  ::testing::internal::CaptureStderr();
  from("203.0.113.7", {});
  listed("198.51.100.1");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  ::testing::internal::CaptureStderr();
  from("203.0.113.7", {{"forwarded", "for=198.51.100.1"}});
  from("203.0.113.8", {{"X-Forwarded-For", "198.51.100.1"}});
  const auto log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("203.0.113.7"));
  EXPECT_THAT(log, HasSubstr("DURAGRAPH_TRUSTED_PROXIES"));
  EXPECT_THAT(log, Not(HasSubstr("203.0.113.8")));
}

}  // namespace
}  // namespace dg::api
