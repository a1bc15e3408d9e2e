// Requests to an API that asks who they come from.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>

#include "api/api_testing.hpp"
#include "api/authenticator.hpp"
#include "auth/api_key.hpp"

namespace dg::api::testing {

class AuthApiTest : public ApiTest {
 protected:
  explicit AuthApiTest(TokenChecks checks = {.keys = {auth::VerifyKey::from_secret(secret)}})
      : ApiTest(
            ApiSettings{.authenticate = [this](net::Request& r) { return authenticator_->authenticate(r); }}),
        authenticator_(std::make_unique<Authenticator>(server_.app(), std::move(checks))) {}

  static constexpr const char* secret = "0123456789abcdef0123456789abcdef";

  static net::Headers bearer(std::string_view text) {
    return {{"Authorization", "Bearer " + std::string(text)}};
  }
  // A token that is good for an hour.
  std::string token(std::string user, auth::Role role = auth::Role::editor) {
    return auth::mint_token(secret, {std::move(user), role}, {}, server_.world.clock.now(),
                            std::chrono::hours(1));
  }
  net::Headers as(std::string user, auth::Role role = auth::Role::editor) {
    return bearer(token(std::move(user), role));
  }
  // A new key; what is stored of it is what `change` makes of it.
  std::string make_key(std::string user, std::string role = "editor",
                       const std::function<void(store::ApiKey&)>& change = {}) {
    const auto text = auth::make_api_key(server_.world.random);
    store::ApiKey key{text.id, auth::hash_of_secret(text.secret), std::move(user), std::move(role),
                      "",      server_.world.clock.now()};
    if (change) change(key);
    apply(store::AddApiKey{key});
    return to_string(text);
  }
  void apply(store::Change change) {
    store::Commit commit;
    commit.changes.push_back(std::move(change));
    server_.get(server_.store().commit(std::move(commit)));
  }

  std::unique_ptr<Authenticator> authenticator_;
};

}  // namespace dg::api::testing
