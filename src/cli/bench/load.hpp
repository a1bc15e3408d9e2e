// Load on a server: clients that work side by side, and how long each piece of work took.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/system_world.hpp"
#include "net/http_client.hpp"

namespace dg::cli::bench {

// What was measured, in milliseconds.
class Samples {
 public:
  void add(Duration took) { ms_.push_back(std::chrono::duration<double, std::milli>(took).count()); }
  void add_error(const std::string& message) { ++errors_[message]; }
  // What was measured before the measurement began; errors stay.
  void forget_times() { ms_.clear(); }
  void set_seconds(double seconds) { seconds_ = seconds; }
  // Of the same work, measured at another time.
  void append(const Samples& more);

  std::size_t count() const { return ms_.size(); }
  double seconds() const { return seconds_; }
  double per_second() const { return seconds_ > 0 ? static_cast<double>(count()) / seconds_ : 0; }
  // The value that `share` (0 to 1) of the samples do not exceed; 0 when there is none.
  double percentile(double share) const;
  std::int64_t errors() const;
  // The message that came most often, or nothing.
  std::string commonest_error() const;

 private:
  std::vector<double> ms_;
  std::map<std::string, std::int64_t> errors_;
  double seconds_ = 0;
};

// A client: a connection of its own and its number.
struct Client {
  net::HttpClient& http;
  int number;
};
using Work = std::function<Task<Status>(Client)>;

struct Load {
  int clients = 1;
  Duration warm_up = std::chrono::seconds(1);  // not measured
  Duration duration = std::chrono::seconds(5);
};

// Lets each client do `work` again and again until the duration has passed, but once at least, and
// measures each time. What fails is counted as an error and measured no further. Clients take the URLs in
// turn.
Task<Samples> drive(SystemWorld& loop, std::vector<std::string> urls, Load load, Work work);

struct Pace {
  double per_second = 1;
  int clients = 64;  // that do the work; what finds none free waits, and its wait counts
  Duration duration = std::chrono::seconds(5);
};

// Begins `work` at even intervals, whether what was begun before has ended or not, and measures each from
// when it was due. Clients take the URLs in turn.
Task<Samples> keep_pace(SystemWorld& loop, std::vector<std::string> urls, Pace pace, Work work);

// Sends a request and gives its body. A status of 400 or more is an error with its detail.
Task<Result<std::string>> call(SystemWorld& loop, net::HttpClient& http, net::Method method,
                               std::string target, std::string body = "");

// The same for a GET whose body does not matter.
Task<Status> get(SystemWorld& loop, net::HttpClient& http, std::string target);

}  // namespace dg::cli::bench
