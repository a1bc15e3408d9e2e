// Counts and times of requests, by route.
#pragma once

#include <array>
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
  explicit RequestMetrics(Metrics& registry);
  RequestMetrics(const RequestMetrics&) = delete;
  RequestMetrics& operator=(const RequestMetrics&) = delete;

  // Counts a request as being answered as long as it lives.
  class Flight {
   public:
    explicit Flight(RequestMetrics& metrics) : metrics_(metrics) { ++metrics_.in_flight_; }
    ~Flight() { --metrics_.in_flight_; }
    Flight(const Flight&) = delete;
    Flight& operator=(const Flight&) = delete;

   private:
    RequestMetrics& metrics_;
  };

  // `pattern` is the route's, empty where none was found; `took` is the time to the head of the
  // response.
  void count(std::string_view pattern, net::Method method, int status, Duration took);
  // One that broke HTTP or a limit of its size, before any route was looked for.
  void count_refusal(net::Method method, int status) { requests("none", method, status).add(); }

 private:
  struct Route {
    std::array<Histogram*, 6> seconds{};  // by the first digit of the status
    std::map<std::pair<net::Method, int>, Counter*> requests;
  };
  Route& route(std::string_view name);
  Counter& requests(std::string_view name, net::Method method, int status);
  Histogram& seconds(Route& route, std::string_view name, int status);

  Metrics& registry_;
  Counter& server_errors_;
  std::map<std::string, Route, std::less<>> routes_;
  int in_flight_ = 0;
};

}  // namespace dg::api
