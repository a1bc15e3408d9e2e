// Where a worker finds its server, and the token that it shows there.
#pragma once

#include <filesystem>
#include <string>

namespace dg::cli {

// The server's URL: `given`, else the one that `dev` announces in the data folder, else the default one.
std::string worker_server(const std::string& given, const std::filesystem::path& folder);

struct WorkerToken {
  std::string text;  // empty: there is none
  std::string from;  // where it was found, for a person
};

// The token for the server `given`, or for the one of the data folder where that is empty. The folder's own
// server made the folder's token, which no environment replaces; for every other server the environment's
// counts, and the folder's only where there is none: `dev` may have another address there.
WorkerToken worker_token(const std::string& given, const std::filesystem::path& folder,
                         const std::string& environment);

}  // namespace dg::cli
