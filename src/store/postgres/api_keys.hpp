// Keys for the API: written and read.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "store/postgres/connection.hpp"
#include "store/records.hpp"

namespace dg::store::postgres {

// What a transaction changes about them, by id.
struct ApiKeyWrites {
  std::map<std::string, ApiKey> added;
  std::map<std::string, WallTime> revoked;
  std::map<std::string, WallTime> used;

  // Adds the statements and forgets the rows.
  void take_into(Pipeline& pipeline);
};

Task<Outcome<std::optional<ApiKey>>> read_api_key(Connection& db, std::string id);
Task<Outcome<std::vector<ApiKey>>> read_api_keys(Connection& db);

}  // namespace dg::store::postgres
