// One request to a collector.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace dg::otlp {

struct PostAnswer {
  long status = 0;  // 0: none came
  std::string problem;
  std::chrono::seconds retry_after{};  // 0: not said
};

// Keeps its connection. Used by one thread.
class Poster {
 public:
  Poster(const std::string& url, const std::vector<std::pair<std::string, std::string>>& headers);
  ~Poster();
  Poster(const Poster&) = delete;
  Poster& operator=(const Poster&) = delete;

  // Is given up when `given_up`, which is asked about once a second, says so.
  PostAnswer post(const std::string& body, std::chrono::milliseconds timeout,
                  const std::function<bool()>& given_up);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dg::otlp
