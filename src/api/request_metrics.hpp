// Counts and times of requests, by route.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/async.hpp"
#include "base/metrics.hpp"
#include "net/http.hpp"

namespace dg::api {

// Keeps what it asked the registry for, since asking costs more than counting.
class RequestMetrics {
 public:
  explicit RequestMetrics(Metrics& registry) : registry_(registry) {}
  // `pattern` is the route's, empty where none was found; `took` is the time to the head of the
  // response.
  void count(std::string_view pattern, net::Method method, int status, Duration took);

 private:
  struct Route {
    Histogram* seconds = nullptr;
    std::map<std::pair<net::Method, int>, Counter*> requests;
  };
  Route& route(std::string_view pattern);

  Metrics& registry_;
  std::map<std::string, Route, std::less<>> routes_;
};

}  // namespace dg::api
