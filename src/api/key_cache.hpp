// API keys as requests meet them: in memory for a moment, so that the database is not asked for each request.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "app/context.hpp"
#include "app/lines.hpp"

namespace dg::api {

struct KeyCacheLimits {
  Duration kept = std::chrono::seconds(5);  // a key that was revoked ends within that
  std::size_t entries = 10'000;
};

// It lives on one loop.
class KeyCache {
 public:
  explicit KeyCache(app::Context& context, KeyCacheLimits limits = {})
      : context_(context), limits_(limits), lines_(context.env.timers) {}

  // The key as it was stored some seconds ago at most; also that there is none is remembered. unavailable:
  // the database does not answer.
  Task<Result<std::optional<store::ApiKey>>> find(std::string id);
  // The key was used: says so in the database, but not for each use.
  void note_use(const std::string& id);
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::optional<store::ApiKey> key;
    SteadyTime read_at{};
  };
  const Entry* fresh(const std::string& id) const;
  void make_room();

  app::Context& context_;
  KeyCacheLimits limits_;
  app::Lines lines_;  // of keys: one request at a time reads one
  std::map<std::string, Entry> entries_;
};

}  // namespace dg::api
