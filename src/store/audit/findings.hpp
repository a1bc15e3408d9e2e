// What a check finds.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dg::store::audit {

using Ids = std::vector<std::pair<std::string, std::string>>;

struct Finding {
  std::string_view kind;  // "version-gap"; the kinds are listed in docs/operations.md
  Ids ids;                // what it is about: "run" and its id, "version" and its number
  std::string message;
};

// Keeps the first findings and counts all.
class Findings {
 public:
  explicit Findings(std::size_t limit) : limit_(limit) {}

  void add(std::string_view kind, Ids ids, std::string message) {
    ++total_;
    ++counts_[kind];
    if (kept_.size() < limit_) kept_.push_back({kind, std::move(ids), std::move(message)});
  }

  const std::vector<Finding>& kept() const { return kept_; }
  std::uint64_t total() const { return total_; }
  const std::map<std::string_view, std::uint64_t>& counts() const { return counts_; }

 private:
  std::size_t limit_;
  std::vector<Finding> kept_;
  std::uint64_t total_ = 0;
  std::map<std::string_view, std::uint64_t> counts_;
};

// How much was looked at: of assistants, threads and runs, those that exist.
struct Checked {
  std::int64_t events = 0;
  std::int64_t assistants = 0;
  std::int64_t threads = 0;
  std::int64_t runs = 0;
  std::int64_t frames = 0;
  std::int64_t leases = 0;
  std::int64_t checkpoints = 0;
  std::int64_t values = 0;
};

}  // namespace dg::store::audit
