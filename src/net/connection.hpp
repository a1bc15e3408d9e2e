// One TCP connection of the server: receiving and sending with a deadline.
#pragma once

#include "base/env.hpp"
#include "net/input_buffer.hpp"
#include "net/io.hpp"
#include "net/transport.hpp"

namespace dg::net {

// A transport with the bytes received from it and one deadline for whatever it is doing. The deadline
// is compared from outside, by check(), a few times per second: that is cheaper than a timer for
// each phase of each request, and exact enough for what it guards.
class Connection {
 public:
  Connection(Transport transport, const Env& env);

  // Receives at least one byte, at most `bytes`, into `input`. False at the end of the connection,
  // after an error, or when the deadline passed.
  Task<bool> receive(std::size_t bytes);
  // Sends all of `buffers`, which must live until then, within `timeout`. False when that failed;
  // the connection is of no use afterwards.
  Task<bool> write(WriteBuffers buffers, Duration timeout);
  // Tells the client that nothing more comes, and discards what it still sends for a short time. A
  // socket closed with unread input would reset the connection, and the client might never see
  // the response.
  Task<void> linger();

  void set_deadline(Duration from_now);
  void clear_deadline();
  // Whether the deadline passed since it was set.
  bool expired() const { return expired_; }
  // Gives up the operations of this connection when its deadline has come.
  void check(SteadyTime now);
  // Ends every operation and closes the transport at once.
  void abort();
  bool aborted() const { return aborted_; }
  // Gives up the operations that wait, and leaves the transport open.
  void cancel();

  Transport transport;
  InputBuffer input;

 private:
  Env env_;
  SteadyTime deadline_ = SteadyTime::max();
  bool expired_ = false;
  bool aborted_ = false;
};

}  // namespace dg::net
