#include "auth/jwks_cache.hpp"

#include <algorithm>
#include <optional>

#include "auth/jwks.hpp"
#include "base/log.hpp"

namespace dg::auth {

// A fetch that is under way holds it, and may end after the cache.
struct JwksCache::State {
  State(Timers& the_timers, std::string the_source, FetchJwks the_fetch, JwksTimes the_times)
      : timers(the_timers),
        source(std::move(the_source)),
        fetch(std::move(the_fetch)),
        times(the_times),
        fetched(the_timers) {}

  bool knows(const std::string& key_id) const {
    return key_id.empty() || std::ranges::any_of(*keys, [&](const VerifyKey& key) {
             return key.id().empty() || key.id() == key_id;
           });
  }
  bool may_fetch() const { return !fetching && (!asked_at || timers.now() - *asked_at >= times.pause); }

  Timers& timers;
  std::string source;
  FetchJwks fetch;
  JwksTimes times;
  Keys keys;  // null before the first fetch that worked
  bool fetching = false;
  std::optional<SteadyTime> asked_at;  // of the last fetch
  SteadyTime good_at{};                // of the last that worked
  Signal fetched;

  static Task<void> run(std::shared_ptr<State> state) {
    const auto text = co_await state->fetch();
    auto parsed = text ? parse_jwks(*text) : Result<std::vector<VerifyKey>>(fail(text.error()));
    if (parsed) {
      state->keys = std::make_shared<const std::vector<VerifyKey>>(std::move(*parsed));
      state->good_at = state->timers.now();
    } else {
      log::warn("the keys of {} could not be fetched{}: {}", state->source,
                state->keys ? ", the last ones stay in use" : "", parsed.error().message);
    }
    state->fetching = false;
    state->fetched.notify_all();
  }

  static void begin(const std::shared_ptr<State>& state) {
    state->fetching = true;
    state->asked_at = state->timers.now();
    spawn(state->timers.executor(), "jwks", run(state));
  }
};

JwksCache::JwksCache(Timers& timers, std::string source, FetchJwks fetch, JwksTimes times)
    : state_(std::make_shared<State>(timers, std::move(source), std::move(fetch), times)) {}

Task<Result<JwksCache::Keys>> JwksCache::keys_for(std::string key_id) {
  const auto state = state_;
  const bool is_missing = !state->keys || !state->knows(key_id);
  const bool is_old = state->keys && state->timers.now() - state->good_at >= state->times.fresh;
  if ((is_missing || is_old) && state->may_fetch()) State::begin(state);
  // Old keys are used until there are new ones; for a missing one its request waits.
  const auto deadline = state->timers.now() + state->times.answer;
  while (is_missing && state->fetching)
    if (!co_await state->fetched.wait_until(deadline)) break;
  if (!state->keys)
    co_return fail(Errc::unavailable, "the keys that tokens are checked with cannot be fetched");
  co_return state->keys;
}

}  // namespace dg::auth
