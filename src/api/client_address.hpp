// Who a request comes from when proxies stand before the server.
#pragma once

#include <string_view>

#include "net/http.hpp"
#include "net/networks.hpp"

namespace dg::api {

// Forwarded headers say whatever their sender likes, so they are believed only from proxies that the operator
// names. Of those they are read from the right, where the nearest proxy wrote, past further trusted proxies.
class ClientAddresses {
 public:
  explicit ClientAddresses(net::Networks trusted) : trusted_(std::move(trusted)) {}

  // The address of the client: the first that is no trusted proxy. What cannot be read ends the search at the
  // last proxy that could; so do X-Forwarded-For, Forwarded and X-Real-IP that name different clients, since
  // a proxy writes one of them and passes on what a client says in the others. The first forwarded header
  // from a peer that is not trusted is logged: a proxy that the operator forgot makes all clients one.
  net::Address of(const net::Request& request);

 private:
  void tell_of_untrusted(const net::Request& request);

  net::Networks trusted_;
  bool told_of_untrusted_ = false;
  bool told_of_contradiction_ = false;
};

}  // namespace dg::api
