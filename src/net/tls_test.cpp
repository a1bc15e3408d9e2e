// HTTP and WebSockets over TLS, on real sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/tls_testing.hpp"

namespace dg::net {
namespace {

using test::Certificate;
using test::CertificateFolder;
using test::make_certificate;
using test::RawClient;
using test::ServerRun;
using test::TlsClient;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;
using std::string_literals::operator""s;

Task<Response> echo(Request& request) {
  Response response;
  response.body = std::move(request.body);
  co_return response;
}

Task<void> echo_messages(Request&, WebSocket& socket) {
  while (true) {
    auto message = co_await socket.read();
    if (!message) co_return;
    if (message->data == "leave") socket.close(4000, "asked to");
    socket.send(std::move(*message));
  }
}

// A message as a client frames it, with a mask that changes nothing.
std::string framed(std::string_view text, char kind = '\x81') {
  std::string out{kind};
  const auto byte = [&out](std::size_t value) { out.push_back(static_cast<char>(value & 0xff)); };
  if (text.size() < 126) {
    byte(0x80 | text.size());
  } else {
    byte(0x80 | 127);
    for (int shift = 56; shift >= 0; shift -= 8) byte(text.size() >> shift);
  }
  return out.append(4, '\0').append(text);
}

class TlsTest : public testing::Test {
 public:
  explicit TlsTest(int speed = 1) : run(speed) {
    run.router.add(Method::post, "/echo", echo);
    run.router.add(Method::get, "/large", [](Request&) -> Task<Response> {
      Response response;
      response.body.assign(20u << 20, 'y');
      co_return response;
    });
    run.router.add_websocket("/ws", {}, echo_messages);
  }
  void start(const ServerLimits& limits = {}) { run.start(limits, folder.files()); }
  std::uint16_t port() const { return run.server->port(); }
  std::uint64_t failed_handshakes() {
    return run.run([](const Server& server) -> Task<std::uint64_t> {
      co_return server.load().failed_handshakes;
    }(*run.server));
  }
  static std::string post(std::string_view body, std::string_view headers = "") {
    return fmt::format("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{}\r\n{}", body.size(),
                       headers, body);
  }

  CertificateFolder folder{make_certificate(1)};
  ServerRun run;
};

TEST_F(TlsTest, AnswersRequestsOnOneConnection) {
  start();
  TlsClient client(port());
  ASSERT_TRUE(client.connected());
  for (const char* body : {"one", "two"}) {
    client.send(post(body));
    EXPECT_EQ(client.response().second, body);
  }
  std::string all;
  for (int i = 0; i < 100; ++i) all += post(fmt::format("{:03}", i));
  client.send(all);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client.response().second, fmt::format("{:03}", i));
  for (const char c : post("bytes")) client.send({&c, 1});
  EXPECT_EQ(client.response().second, "bytes");
  EXPECT_EQ(failed_handshakes(), 0u);
}

TEST_F(TlsTest, SpeaksNewVersionsAndHttp11) {
  start();
  EXPECT_EQ(TlsClient(port()).version(), TLS1_3_VERSION);
  EXPECT_EQ(TlsClient(port(), {.version = TLS1_2_VERSION}).version(), TLS1_2_VERSION);
  EXPECT_FALSE(TlsClient(port(), {.version = TLS1_1_VERSION}).connected());
  EXPECT_EQ(TlsClient(port()).protocol(), "");
  EXPECT_EQ(TlsClient(port(), {.protocols = "\x02h2\x08http/1.1"}).protocol(), "http/1.1");
  EXPECT_FALSE(TlsClient(port(), {.protocols = "\x02h2"}).connected());
  EXPECT_EQ(failed_handshakes(), 2u);
}

TEST_F(TlsTest, CarriesLargeBodiesBothWays) {
  start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(port(), {.version = version});
    client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(client.response().second.size(), 20u << 20);
    std::string large(5u << 20, '\0');
    for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7 >> 3);
    client.send(post(large));
    EXPECT_TRUE(client.response().second == large);
  }
}

TEST_F(TlsTest, CutsOffAReaderThatDoesNotRead) {
  std::promise<bool> written;
  auto write = [](Stream& stream, std::promise<bool>& out) -> Task<void> {
    const std::string large(50u << 20, 'y');
    out.set_value(co_await stream.write(large));
  };
  run.router.add(Method::get, "/endless", [&](Request&) {
    return test::streamed([&](Stream& stream) { return write(stream, written); });
  });
  start({.write_timeout = std::chrono::milliseconds(100)});
  TlsClient client(port());
  client.send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
  auto result = written.get_future();
  ASSERT_EQ(result.wait_for(test::guard), std::future_status::ready);
  EXPECT_FALSE(result.get());
}

TEST_F(TlsTest, StreamsAndHearsThatTheClientLeft) {
  std::promise<void> left;
  auto write = [](Stream& stream, std::promise<void>& out) -> Task<void> {
    for (int i = 0; i < 1000; ++i) co_await stream.write(fmt::format("part {}\n", i));
    while (!stream.closed()) co_await stream.on_close().wait();
    out.set_value();
  };
  run.router.add(Method::get, "/stream", [&](Request&) {
    return test::streamed([&](Stream& stream) { return write(stream, left); });
  });
  start();
  TlsClient client(port());
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.until("part 999\n"), HasSubstr("part 0\n"));
  client.close();
  EXPECT_EQ(left.get_future().wait_for(test::guard), std::future_status::ready);
}

TEST_F(TlsTest, AStreamEndsAndTheConnectionGoesOn) {
  run.router.add(Method::get, "/short", [](Request&) {
    return test::streamed([](Stream& stream) -> Task<void> { co_await stream.write("all"); });
  });
  start();
  TlsClient client(port());
  client.send("GET /short HTTP/1.1\r\nHost: x\r\n\r\n" + post("next"));
  EXPECT_THAT(client.until("0\r\n\r\n"), EndsWith("3\r\nall\r\n0\r\n\r\n"));
  EXPECT_EQ(client.response().second, "next");
}

TEST_F(TlsTest, CarriesWebSockets) {
  start();
  TlsClient client(port());
  client.send(
      "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  EXPECT_THAT(client.until("\r\n\r\n"), StartsWith("HTTP/1.1 101 "));
  client.send(framed("hello"));
  EXPECT_EQ(client.exactly(7), "\x81\x05hello");
  const std::string large(3u << 20, 'z');
  client.send(framed(large));
  EXPECT_EQ(client.exactly(10 + large.size()).substr(10), large);
  client.send(framed("leave"));
  EXPECT_THAT(client.until("asked to"), HasSubstr("\x0f\xa0"));
  client.send(framed("\x0f\xa0", '\x88'));
  client.rest();
  EXPECT_TRUE(client.closed_cleanly());
}

TEST_F(TlsTest, ItsEndIsSaid) {
  start({.idle_timeout = std::chrono::milliseconds(200)});
  TlsClient asked(port());
  asked.send(post("last", "Connection: close\r\n"));
  EXPECT_THAT(asked.rest(), EndsWith("last"));
  EXPECT_TRUE(asked.closed_cleanly());
  TlsClient idle(port());
  idle.send(post("one"));
  EXPECT_EQ(idle.response().second, "one");
  EXPECT_EQ(idle.rest(), "");
  EXPECT_TRUE(idle.closed_cleanly());
}

TEST_F(TlsTest, ADrainEndsIdleConnectionsAndHandshakes) {
  start();
  TlsClient idle(port());
  idle.send(post("one"));
  EXPECT_EQ(idle.response().second, "one");
  RawClient slow(port());
  slow.send("\x16\x03\x01");
  TlsClient(port()).send(post("two"));  // accepted after the slow one
  run.run(run.server->drain(run.after(test::guard)));
  EXPECT_EQ(idle.rest(), "");
  EXPECT_TRUE(idle.closed_cleanly());
  EXPECT_EQ(slow.rest(), "");
}

TEST_F(TlsTest, WhoDoesNotCompleteAHandshakeIsClosed) {
  start({.handshake_timeout = std::chrono::milliseconds(100)});
  RawClient silent(port());
  EXPECT_EQ(silent.rest(), "");
  RawClient partial(port());
  partial.send("\x16\x03\x01\x02");
  EXPECT_EQ(partial.rest(), "");
  RawClient broken(port());
  broken.send("\x16\x03\x01\x00\x05wrong"s);
  EXPECT_THAT(broken.rest(), StartsWith("\x15\x03")) << "an alert";
  EXPECT_EQ(failed_handshakes(), 3u);
  RawClient gone(port());
  gone.end_sending();
  EXPECT_EQ(gone.rest(), "");
  EXPECT_EQ(failed_handshakes(), 3u) << "a probe of the port is no handshake";
}

TEST_F(TlsTest, HttpInTheClearIsToldSo) {
  start();
  for (const char* method : {"GET", "DELETE", "OPTIONS"}) {
    RawClient client(port());
    client.send(std::string(method) + " /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto answer = client.rest();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
    EXPECT_THAT(answer, HasSubstr("https://"));
  }
  EXPECT_EQ(failed_handshakes(), 3u);
}

TEST_F(TlsTest, TurnsAwayTooManyConnections) {
  start({.max_connections = 1});
  TlsClient first(port());
  first.send(post("one"));
  EXPECT_EQ(first.response().second, "one");
  EXPECT_THAT(TlsClient(port()).rest(), StartsWith("HTTP/1.1 503"));
}

TEST_F(TlsTest, AWrongPairIsToldBeforeListening) {
  CertificateFolder::replace(folder.files().key, make_certificate(2).key);
  const auto server =
      listen(run.io, run.env, "127.0.0.1", 0, run.router, nullptr, nullptr, {}, folder.files());
  ASSERT_FALSE(server.has_value());
  EXPECT_EQ(server.error().code, Errc::invalid_argument);
  EXPECT_THAT(server.error().message, HasSubstr(folder.files().key));
}

// Clients of this process trust two certificates, from before the first of them asks.
class TlsClientTest : public TlsTest {
 public:
  static void SetUpTestSuite() {
    trusted = make_certificate(7);
    elsewhere = make_certificate(8, 1, "IP:192.0.2.1");
    static const CertificateFolder authority({trusted.certificate + elsewhere.certificate, ""});
    ::setenv("SSL_CERT_FILE", authority.files().certificate.c_str(), 1);
  }
  // What becomes of a message that is sent to the server under one of its names.
  std::string echoed(const std::string& host) {
    auto talk = [](TlsClientTest& test, std::string url) -> Task<std::string> {
      auto socket = co_await ws_connect(test.run.io, test.run.env, std::move(url), {}, test::guard);
      if (!socket) co_return socket.error().message;
      (*socket)->send({.binary = true, .data = std::string(1u << 20, 'x')});
      const auto large = co_await (*socket)->read();
      (*socket)->send({.binary = false, .data = "leave"});
      const auto end = co_await (*socket)->read();
      co_return fmt::format("{} {}", large ? large->data.size() : 0, (*socket)->close_code());
    };
    return run.run(talk(*this, fmt::format("wss://{}:{}/ws", host, port())));
  }

  static inline Certificate trusted;
  static inline Certificate elsewhere;  // for another address
};

TEST_F(TlsClientTest, ConnectsWebSocketsToWhomItTrusts) {
  folder.write(trusted);
  start();
  EXPECT_EQ(echoed("127.0.0.1"), "1048576 4000");
  EXPECT_EQ(echoed("localhost"), "1048576 4000");
}

TEST_F(TlsClientTest, RefusesACertificateThatNobodyVouchesFor) {
  start();
  EXPECT_THAT(echoed("127.0.0.1"), HasSubstr("the certificate is not trusted: self-signed"));
}

TEST_F(TlsClientTest, RefusesACertificateForAnotherName) {
  folder.write(elsewhere);
  start();
  EXPECT_EQ(echoed("localhost"), "1048576 4000");
  EXPECT_THAT(echoed("127.0.0.1"), HasSubstr("the certificate is not trusted: IP address mismatch"));
}

TEST_F(TlsClientTest, AServerInTheClearIsToldApart) {
  run.start();
  EXPECT_THAT(echoed("127.0.0.1"), HasSubstr("no TLS with 127.0.0.1"));
}

TEST_F(TlsClientTest, ConnectingEndsInTime) {
  run.start();
  const auto silent = std::move(*listen(run.io, run.env, "127.0.0.1", 0, run.router, nullptr, nullptr));
  auto talk = [](TlsClientTest& test, std::uint16_t silent_port) -> Task<Errc> {
    const auto url = fmt::format("wss://127.0.0.1:{}/ws", silent_port);
    const auto made = co_await ws_connect(test.run.io, test.run.env, url, {}, std::chrono::milliseconds(50));
    co_return made ? Errc::internal : made.error().code;
  };
  EXPECT_EQ(run.run(talk(*this, silent->port())), Errc::timeout);
}

class FastTlsTest : public TlsTest {
 public:
  FastTlsTest() : TlsTest(50) {}
};

TEST_F(FastTlsTest, ARenewedCertificateIsShownAndNobodyIsDropped) {
  start({.idle_timeout = std::chrono::hours(10)});
  TlsClient old(port());
  EXPECT_EQ(old.serial(), 1);
  folder.write(make_certificate(2));
  const auto deadline = std::chrono::steady_clock::now() + test::guard;
  while (TlsClient(port()).serial() != 2) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  old.send(post("still here"));
  EXPECT_EQ(old.response().second, "still here");
}

}  // namespace
}  // namespace dg::net
