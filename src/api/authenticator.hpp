// Who a request comes from: its JWT or API key, looked at.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/key_cache.hpp"
#include "app/app.hpp"
#include "auth/jwks_cache.hpp"
#include "auth/token.hpp"
#include "net/http.hpp"

namespace dg::api {

// What JWTs are checked with. Without a key and without a JWKS none is let through.
struct TokenChecks {
  std::vector<auth::VerifyKey> keys{};
  auth::TokenRules rules{};
  std::string jwks_source{};  // for people
  auth::FetchJwks jwks{};     // empty: there is none
};

class Authenticator {
 public:
  // `app` outlives it, and it outlives every request.
  Authenticator(app::App& app, TokenChecks checks);

  // Whom the request's token or key names. Either is taken as `Authorization: Bearer …` and, where there is
  // no such header, as `x-api-key`. unauthorized: the answer to all that is wrong with it, in the same words;
  // the log says what it was. unavailable: nobody can tell now.
  Task<Result<auth::Identity>> identify(const net::Request& request);
  // The same, for the requests of clients: notes the user and the role in the request.
  Task<Status> authenticate(net::Request& request);

 private:
  Task<Result<auth::Identity>> by_token(std::string_view text);
  Task<Result<auth::Identity>> by_key(std::string id, std::string secret);
  Task<Result<bool>> is_signed(const auth::SignedToken& token);
  // Tells of refusals, but not of thousands in a second.
  void tell(const net::Request& request, const std::string& why);

  app::App& app_;
  TokenChecks checks_;
  std::unique_ptr<auth::JwksCache> jwks_;
  KeyCache keys_;
  SteadyTime may_tell_at_{};
};

}  // namespace dg::api
