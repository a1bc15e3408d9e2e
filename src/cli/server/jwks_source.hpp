// Where a JWKS comes from: a file, or a server that is asked over HTTP.
#pragma once

#include <string>

#include "auth/jwks_cache.hpp"
#include "base/async.hpp"

namespace dg::cli {

// Reads the file anew each time.
auth::FetchJwks jwks_of_file(std::string path);

// Asks the server on a thread of its own, for 5 s and jwks_bytes_max at most; the loop, which outlives it,
// goes on. Redirections are followed as far as they are HTTPS; the server's certificate is checked.
auth::FetchJwks jwks_of_url(Executor executor, std::string url);

}  // namespace dg::cli
