// Commits of a test to a database of its own.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/postgres/postgres_store.hpp"
#include "store/postgres/testing/database.hpp"
#include "store/postgres/testing/loop.hpp"

namespace dg::store::postgres::testing {

// The creation of a thread, or one more event of its log.
inline Commit appending(const std::string& id, std::optional<std::int64_t> version) {
  Commit commit;
  commit.appends.push_back({domain::AggregateType::thread, id, version, id, {{"ThreadCreated", "{}"}}});
  return commit;
}

class WriterTest : public ::testing::Test {
 protected:
  std::unique_ptr<Store> open(const Conninfo& conninfo) {
    return make_postgres_store(loop_.env, {.connect = {.conninfo = conninfo}});
  }
  std::unique_ptr<Store> open() { return open(database_.conninfo()); }
  std::vector<std::int64_t> versions_of(Store& store, const std::string& id) {
    std::vector<std::int64_t> out;
    for (const auto& event : loop_.wait(store.events(id)).value()) out.push_back(event.version);
    return out;
  }

  TestDatabase database_;
  Loop loop_;
};

}  // namespace dg::store::postgres::testing
