// What the settings say of who clients and workers are.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "auth/token.hpp"
#include "base/result.hpp"
#include "cli/config/settings.hpp"
#include "cli/server/instance.hpp"

namespace dg::cli {

// What a JWT must say, and what it is taken to mean.
auth::TokenRules token_rules(const ServeSettings& settings);

// invalid_argument: clients are to be asked and there is nothing to check their JWTs with, or what there is
// cannot be used. The loop outlives it.
Result<Authentication> authentication_of(const ServeSettings& settings, Executor executor);

// What is allowed and probably not meant, each a sentence.
std::vector<std::string> authentication_warnings(const ServeSettings& settings);

// What instances compare their secrets by: it does not give the secret away. Nothing: there is no secret.
std::optional<std::string> fingerprint_of_secret(const ServeSettings& settings);

}  // namespace dg::cli
