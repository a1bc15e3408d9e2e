#include "api/request_metrics.hpp"

#include <chrono>

namespace dg::api {

RequestMetrics::Route& RequestMetrics::route(std::string_view pattern) {
  const std::string_view name = pattern.empty() ? "none" : pattern;
  if (const auto found = routes_.find(name); found != routes_.end()) return found->second;
  auto& route = routes_[std::string(name)];
  route.seconds = &registry_.histogram(
      "duragraph_http_request_seconds", "Time to the head of the response, by route",
      {{"route", std::string(name)}}, {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30});
  return route;
}

void RequestMetrics::count(std::string_view pattern, net::Method method, int status, Duration took) {
  auto& known = route(pattern);
  auto& counter = known.requests[{method, status}];
  if (counter == nullptr)
    counter = &registry_.counter("duragraph_http_requests_total", "Requests by route, method and status",
                                 {{"route", std::string(pattern.empty() ? "none" : pattern)},
                                  {"method", std::string(to_string(method))},
                                  {"status", std::to_string(status)}});
  counter->add();
  known.seconds->observe(std::chrono::duration<double>(took).count());
}

}  // namespace dg::api
