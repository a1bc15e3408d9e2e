// The socket types of this layer, all bound to the concrete executor of one event loop: a type-erased
// executor would cost memory and time on every connection.
#pragma once

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/async.hpp"

namespace dg::net {

namespace asio = boost::asio;

using Tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<Tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<Tcp, Executor>;
using Resolver = asio::ip::basic_resolver<Tcp, Executor>;
using ErrorCode = boost::system::error_code;

// Makes an asynchronous operation a task whose value is a tuple that starts with the error code.
inline constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable_t<Executor>{});

// What one write sends, in order; unused places are empty.
using WriteBuffers = std::array<asio::const_buffer, 3>;

// Leaves out what has been sent.
inline void drop_front(WriteBuffers& buffers, std::size_t sent) {
  for (auto& buffer : buffers) {
    const std::size_t part = std::min(sent, buffer.size());
    buffer += part;
    sent -= part;
  }
}

}  // namespace dg::net
