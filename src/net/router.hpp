// Routes: which handler answers which method and path.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http.hpp"

namespace dg::net {

using Handler = std::function<Task<Response>(Request&)>;
// Serves an upgraded connection until it returns. The socket is closed after that.
using WsHandler = std::function<Task<void>(Request&, WebSocket&)>;
// Decides whether a request may be upgraded, before anything else is looked at; a set Response
// refuses it in plain HTTP.
using WsGate = std::function<Task<std::optional<Response>>(const Request&)>;

// A set of routes. Patterns are paths with {names}, each of which matches one segment that is not
// empty. A literal segment wins over a {name} at the same place, unless only the latter leads to a
// route with the request's method. A slash at the end of a path counts as none.
class Router {
 public:
  Router();
  ~Router();
  // Adding one method and path twice is a bug and throws std::logic_error.
  void add(Method method, std::string_view pattern, Handler handler);
  // `protocol` is the sub-protocol that is confirmed to a client which offers it; others are left
  // unanswered. The same path may have a plain GET route for requests that ask for no upgrade.
  void add_websocket(std::string_view pattern, WsGate gate, WsHandler handler,
                     std::string protocol = "duragraph.worker.v1");

  struct Match {
    const Handler* handler = nullptr;
    const WsGate* ws_gate = nullptr;
    const WsHandler* ws_handler = nullptr;
    std::vector<std::string> allowed;  // methods that the path has, when the asked one is not among them
    std::string_view ws_protocol;      // the sub-protocol of ws_handler
    std::string_view pattern;          // for metrics; lives as long as the router
  };
  // Fills request.params on a match. HEAD falls back to GET. A path that no route has gives an
  // empty match; one with other methods gives them in `allowed`.
  Match match(Request& request) const;

  struct Route {
    std::string method;  // "WS" for a WebSocket
    std::string pattern;
  };
  // All routes in the order in which they were added.
  std::vector<Route> routes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dg::net
