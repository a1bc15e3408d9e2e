#include "api/request_metrics.hpp"

#include <algorithm>
#include <chrono>

#include "api/request_limit.hpp"

namespace dg::api {

RequestMetrics::RequestMetrics(Metrics& registry)
    : registry_(registry),
      server_errors_(registry.counter("duragraph_http_server_errors_total",
                                      "Requests answered with a status of 500 or more, probes left out")) {
  registry_.gauge_callback("duragraph_http_requests_in_flight", "Requests whose answer has not begun", {},
                           [this] { return static_cast<double>(in_flight_); });
}

RequestMetrics::Route& RequestMetrics::route(std::string_view name) {
  if (const auto found = routes_.find(name); found != routes_.end()) return found->second;
  return routes_[std::string(name)];
}

Histogram& RequestMetrics::seconds(Route& route, std::string_view name, int status) {
  const auto digit = static_cast<std::size_t>(std::clamp(status / 100, 0, 5));
  auto& known = route.seconds.at(digit);
  if (known == nullptr)
    known = &registry_.histogram(
        "duragraph_http_request_seconds", "Time to the head of the response, by route and class of status",
        {{"route", std::string(name)}, {"status_class", std::to_string(digit) + "xx"}},
        {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30});
  return *known;
}

Counter& RequestMetrics::requests(std::string_view name, net::Method method, int status) {
  auto& counter = route(name).requests[{method, status}];
  if (counter == nullptr)
    counter = &registry_.counter("duragraph_http_requests_total", "Requests by route, method and status",
                                 {{"route", std::string(name)},
                                  {"method", std::string(to_string(method))},
                                  {"status", std::to_string(status)}});
  return *counter;
}

void RequestMetrics::count(std::string_view pattern, net::Method method, int status, Duration took) {
  const std::string_view name = pattern.empty() ? "none" : pattern;
  requests(name, method, status).add();
  if (status >= 500 && !is_probe(pattern)) server_errors_.add();
  seconds(route(name), name, status).observe(std::chrono::duration<double>(took).count());
}

}  // namespace dg::api
