// The keys of a JWKS that is kept elsewhere and changes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "auth/verify_key.hpp"
#include "base/async.hpp"
#include "base/result.hpp"

namespace dg::auth {

// Gets its text, within a bounded time.
using FetchJwks = std::function<Task<Result<std::string>>()>;

struct JwksTimes {
  Duration fresh = std::chrono::minutes(10);   // after which keys in use are fetched anew
  Duration pause = std::chrono::seconds(10);   // at least between two fetches
  Duration answer = std::chrono::seconds(10);  // how long a request waits for a fetch
};

// It lives on one loop. What a fetch gives replaces all; the last good keys stay where one fails.
class JwksCache {
 public:
  using Keys = std::shared_ptr<const std::vector<VerifyKey>>;

  JwksCache(Timers& timers, std::string source, FetchJwks fetch, JwksTimes times = {});

  // Keys to try on a token that names `key_id` (empty: none). A key that is not known is looked for at its
  // source, but no sooner than a pause after the last time, so that tokens which name inventions do not make
  // the server ask all the time. unavailable where nothing could be fetched yet.
  Task<Result<Keys>> keys_for(std::string key_id);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace dg::auth
