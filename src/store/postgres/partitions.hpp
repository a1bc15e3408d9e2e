// The partitions of what runs leave behind (deploy/sql/002_event_store.sql).
#pragma once

#include <string>
#include <vector>

#include "store/postgres/connection.hpp"

namespace dg::store::postgres {

// Makes those that are missing for runs of the next 56 days. The role must own the tables.
Task<Outcome<void>> ensure_partitions(Connection& connection);
// The same, and those that are missing among old ones: a row came for which there was none.
Task<Outcome<void>> fill_partitions(Connection& connection);

struct DroppedPartitions {
  std::vector<std::string> names;
  bool busy = false;  // some are to be tried again, since their table was in use
};
// Drops partitions that are empty and whose time was over by then; they are made again when something comes
// late. Holds up nobody for longer than a tenth of a second.
Task<Outcome<DroppedPartitions>> drop_empty_partitions(Connection& connection, WallTime by_then);

}  // namespace dg::store::postgres
