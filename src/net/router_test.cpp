#include "net/router.hpp"

#include <gtest/gtest.h>

#include "net/uri.hpp"

namespace dg::net {
namespace {

Handler handler() {
  return [](Request&) -> Task<Response> { co_return Response{}; };
}

Request request(Method method, std::string target) {
  Request made;
  made.method = method;
  made.target = std::move(target);
  EXPECT_TRUE(split_target(made).has_value()) << made.target;
  return made;
}

class RouterTest : public testing::Test {
 protected:
  RouterTest() {
    router.add(Method::get, "/ok", handler());
    router.add(Method::post, "/threads/search", handler());
    router.add(Method::get, "/threads/{thread_id}", handler());
    router.add(Method::del, "/threads/{thread_id}", handler());
    router.add(Method::get, "/threads/{thread}/runs/{run}", handler());
    router.add(Method::get, "/", handler());
    router.add_websocket("/socket", {}, [](Request&, WebSocket&) -> Task<void> { co_return; });
  }

  std::string pattern_of(Method method, std::string target) {
    Request asked = request(method, std::move(target));
    return std::string(router.match(asked).pattern);
  }

  Router router;
};

TEST_F(RouterTest, FindsLiteralsAndParams) {
  EXPECT_EQ(pattern_of(Method::get, "/ok"), "/ok");
  EXPECT_EQ(pattern_of(Method::get, "/ok/?x=1"), "/ok");
  EXPECT_EQ(pattern_of(Method::get, "/"), "/");
  EXPECT_EQ(pattern_of(Method::get, "/%6fk"), "/ok");
  EXPECT_EQ(pattern_of(Method::head, "/ok"), "/ok");
  EXPECT_EQ(pattern_of(Method::get, "/nowhere"), "");
  EXPECT_EQ(pattern_of(Method::get, "/threads//"), "");
  EXPECT_EQ(pattern_of(Method::get, std::string(200, '/')), "");

  Request asked = request(Method::get, "/threads/a%2Fb/runs/c+d");
  ASSERT_NE(router.match(asked).handler, nullptr);
  EXPECT_EQ(asked.param("thread"), "a/b");
  EXPECT_EQ(asked.param("run"), "c+d");
  EXPECT_EQ(asked.param("other"), "");
}

TEST_F(RouterTest, ALiteralIsNoParamsValue) {
  EXPECT_EQ(pattern_of(Method::post, "/threads/search"), "/threads/search");
  EXPECT_EQ(pattern_of(Method::get, "/threads/searches"), "/threads/{thread_id}");
  Request asked = request(Method::get, "/threads/search");
  const auto match = router.match(asked);
  EXPECT_EQ(match.handler, nullptr);
  EXPECT_EQ(match.allowed, std::vector<std::string>{"POST"});
}

TEST_F(RouterTest, ALiteralThatLeadsNowhereIsAParamsValue) {
  EXPECT_EQ(pattern_of(Method::get, "/threads/search/runs/1"), "/threads/{thread}/runs/{run}");
}

TEST_F(RouterTest, NamesTheMethodsOfAPath) {
  Request asked = request(Method::put, "/threads/1");
  const auto match = router.match(asked);
  EXPECT_EQ(match.handler, nullptr);
  EXPECT_EQ(match.allowed, (std::vector<std::string>{"GET", "DELETE"}));
}

TEST_F(RouterTest, FindsWebSockets) {
  Request asked = request(Method::get, "/socket");
  const auto match = router.match(asked);
  EXPECT_NE(match.ws_handler, nullptr);
  EXPECT_EQ(match.handler, nullptr);
  EXPECT_EQ(match.ws_protocol, "duragraph.worker.v1");
}

TEST_F(RouterTest, ListsRoutesAndRefusesASecondOne) {
  EXPECT_EQ(router.routes().size(), 7u);
  EXPECT_EQ(router.routes().back().method, "WS");
  EXPECT_THROW(router.add(Method::get, "/ok", handler()), std::logic_error);
}

TEST(Uri, DecodesQueries) {
  const Request asked = request(Method::get, "/p?a=1+2&b=%C3%A4&a=3&&flag&c=x=y");
  EXPECT_EQ(asked.path, "/p");
  EXPECT_EQ(asked.query_value("a"), "1 2");
  EXPECT_EQ(asked.query_value("b"), "\xC3\xA4");
  EXPECT_EQ(asked.query_value("flag"), "");
  EXPECT_EQ(asked.query_value("c"), "x=y");
  EXPECT_EQ(asked.query.size(), 5u);
  EXPECT_FALSE(asked.query_value("none"));
}

TEST(Uri, RefusesBrokenTargets) {
  for (const char* target : {"/a%2", "/a%zz", "/?q=%", "/?%1=2", "x/y", "ftp://host/"}) {
    Request asked;
    asked.target = target;
    EXPECT_FALSE(split_target(asked).has_value()) << target;
  }
}

TEST(Uri, TakesAbsoluteTargets) {
  EXPECT_EQ(request(Method::get, "http://host:80/p?x").path, "/p");
  EXPECT_EQ(request(Method::get, "HTTP://host").path, "/");
  EXPECT_EQ(request(Method::options, "*").path, "*");
}

TEST(Uri, ReadsWebSocketUrls) {
  const auto url = parse_ws_url("ws://example.com:8123/socket?x=1#part");
  ASSERT_TRUE(url.has_value());
  EXPECT_EQ(url->host, "example.com");
  EXPECT_EQ(url->port, "8123");
  EXPECT_EQ(url->target, "/socket?x=1");
  EXPECT_EQ(url->host_header(), "example.com:8123");
  const auto ipv6 = parse_ws_url("http://[::1]");
  ASSERT_TRUE(ipv6.has_value());
  EXPECT_EQ(ipv6->host, "::1");
  EXPECT_EQ(ipv6->host_header(), "[::1]");
  EXPECT_EQ(ipv6->target, "/");
  EXPECT_FALSE(ipv6->tls);
  for (const char* text : {"wss://h", "HTTPS://h:443/"}) {
    const auto secure = parse_ws_url(text);
    ASSERT_TRUE(secure.has_value()) << text;
    EXPECT_TRUE(secure->tls);
    EXPECT_EQ(secure->port, "443");
    EXPECT_EQ(secure->host_header(), "h");
  }
  EXPECT_EQ(parse_ws_url("https://h:80")->host_header(), "h:80");
  for (const char* text :
       {"h/x", "ftp://h/", "ws://", "ws://h:0/", "ws://h:99999/", "ws://u:p@h/", "ws://[::1", "ws://h /"})
    EXPECT_FALSE(parse_ws_url(text).has_value()) << text;
}

}  // namespace
}  // namespace dg::net
