// Many runs in a database that were never executed: copies of one that was.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.hpp"
#include "store/postgres/conninfo.hpp"

namespace dg::cli::bench {

// The thread and its run, which are copied.
struct SeedTemplate {
  std::string thread_id;
  std::string run_id;
};

// The id of the copy with that number, from 1 on.
std::string id_of_copy(const std::string& id, std::int64_t number);

// Copies the rows of a thread and its run, with ids of their own, that many times: heads, events, thread and
// run, and the checkpoints of one in a hundred. Then the tables are vacuumed and analysed, as they would have
// been meanwhile. `progress` is told how many there are.
Status seed_runs(const store::postgres::Conninfo& database, const SeedTemplate& from, std::int64_t copies,
                 const std::function<void(std::int64_t)>& progress);
// Of these, each hundredth copy has checkpoints.
inline constexpr std::int64_t copies_per_state = 100;

}  // namespace dg::cli::bench
