#include "cli/bench/balancer.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <list>

namespace dg::cli::bench {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable_t<Executor>{});

// Two ends of what is passed on.
struct Link {
  explicit Link(asio::io_context& io) : near(io), far(io) {}
  void close() {
    boost::system::error_code ignored;
    near.close(ignored);
    far.close(ignored);
  }
  Tcp::socket near;
  Tcp::socket far;
};

Task<void> pass_on(std::shared_ptr<Link> link, Tcp::socket& from, Tcp::socket& to) {
  std::array<char, 16384> bytes;
  while (true) {
    const auto [read_error, count] = co_await from.async_read_some(asio::buffer(bytes), use_tuple);
    if (read_error) break;
    const auto [write_error, written] =
        co_await asio::async_write(to, asio::buffer(bytes.data(), count), use_tuple);
    if (write_error) break;
  }
  link->close();
}

}  // namespace

struct Balancer::State {
  explicit State(asio::io_context& the_io) : io(the_io), acceptor(the_io) {}

  asio::io_context& io;
  Tcp::acceptor acceptor;
  Tcp::endpoint backend;
  std::list<std::weak_ptr<Link>> links;

  static Task<void> open(std::shared_ptr<State> state, std::shared_ptr<Link> link) {
    const auto [error] = co_await link->far.async_connect(state->backend, use_tuple);
    if (error) co_return link->close();
    boost::system::error_code ignored;
    link->near.set_option(Tcp::no_delay(true), ignored);
    link->far.set_option(Tcp::no_delay(true), ignored);
    spawn(state->io.get_executor(), "bench balancer", pass_on(link, link->near, link->far));
    spawn(state->io.get_executor(), "bench balancer", pass_on(link, link->far, link->near));
  }

  static Task<void> accept(std::shared_ptr<State> state) {
    while (true) {
      auto link = std::make_shared<Link>(state->io);
      const auto [error] = co_await state->acceptor.async_accept(link->near, use_tuple);
      if (error) co_return;
      std::erase_if(state->links, [](const auto& old) { return old.expired(); });
      state->links.push_back(link);
      spawn(state->io.get_executor(), "bench balancer", open(state, link));
    }
  }
};

Balancer::Balancer(std::shared_ptr<State> state)
    : state_(std::move(state)),
      url_(fmt::format("http://127.0.0.1:{}", state_->acceptor.local_endpoint().port())) {}

Result<std::unique_ptr<Balancer>> Balancer::listen(SystemWorld& loop) {
  auto state = std::make_shared<State>(loop.io);
  boost::system::error_code error;
  state->acceptor.open(Tcp::v4(), error);
  if (!error) state->acceptor.bind({asio::ip::address_v4::loopback(), 0}, error);
  if (!error) state->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail(Errc::unavailable, "the balancer cannot listen: " + error.message());
  spawn(loop.io.get_executor(), "bench balancer", State::accept(state));
  return std::unique_ptr<Balancer>(new Balancer(std::move(state)));
}

Balancer::~Balancer() {
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
  for (const auto& link : state_->links)
    if (const auto open = link.lock()) open->close();
}

void Balancer::point_at(const std::string& url) {
  const auto colon = url.rfind(':');
  const auto port = static_cast<std::uint16_t>(std::stoul(url.substr(colon + 1)));
  state_->backend = {asio::ip::address_v4::loopback(), port};
}

}  // namespace dg::cli::bench
