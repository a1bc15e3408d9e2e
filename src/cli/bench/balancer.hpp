// What a worker connects through, so that it may come back to another instance.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "base/system_world.hpp"

namespace dg::cli::bench {

// Passes connections on to one instance, and those that come later to another. The loop outlives it;
// destroying it ends them all.
class Balancer {
 public:
  static Result<std::unique_ptr<Balancer>> listen(SystemWorld& loop);
  ~Balancer();
  Balancer(const Balancer&) = delete;
  Balancer& operator=(const Balancer&) = delete;

  const std::string& url() const { return url_; }
  // Where what connects from now on is passed on to: http://address:port.
  void point_at(const std::string& url);

 private:
  struct State;
  explicit Balancer(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
  std::string url_;
};

}  // namespace dg::cli::bench
