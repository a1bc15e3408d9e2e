#include "store/postgres/partitions.hpp"

#include <fmt/format.h>

namespace dg::store::postgres {
namespace {

constexpr std::string_view ensure = "SELECT duragraph_ensure_partitions(now() + interval '56 days')";
constexpr std::string_view fill = "SELECT duragraph_fill_partitions()";
constexpr std::string_view select_old = "SELECT parent, child, bytes FROM duragraph_old_partitions($1)";
constexpr std::string_view drop = "SELECT duragraph_drop_partition($1, $2)";

constexpr Duration vacuum_time = std::chrono::minutes(30);

struct Partition {
  std::string parent;
  std::string name;  // needs no quoting
  std::int64_t bytes = 0;
};

// Without a lock that others notice. What was deleted is given back to the system, so that an empty one is
// told in no time later.
Task<Outcome<bool>> looks_empty(Connection& connection, Partition partition) {
  auto any = co_await connection.query(fmt::format("SELECT EXISTS (SELECT FROM {})", partition.name));
  if (!any) co_return fail_with(std::move(any.error()));
  if (!any->next() || any->flag()) co_return false;
  if (partition.bytes > 0) {
    Pipeline vacuum;
    vacuum.add(fmt::format("VACUUM {}", partition.name));
    auto vacuumed = co_await connection.run(std::move(vacuum), vacuum_time);
    if (!vacuumed) co_return fail_with(std::move(vacuumed.error()));
  }
  co_return true;
}

}  // namespace

Task<Outcome<void>> ensure_partitions(Connection& connection) {
  Pipeline pipeline;
  pipeline.add(ensure);
  co_return co_await connection.execute(std::move(pipeline));
}

Task<Outcome<void>> fill_partitions(Connection& connection) {
  Pipeline pipeline;
  pipeline.add(ensure);
  pipeline.add(fill);
  co_return co_await connection.execute(std::move(pipeline));
}

Task<Outcome<DroppedPartitions>> drop_empty_partitions(Connection& connection, WallTime by_then) {
  DroppedPartitions out;
  auto old = co_await connection.query(select_old, by_then);
  if (!old) co_return fail_with(std::move(old.error()));
  while (old->next()) {
    const Partition partition{old->text(), old->text(), old->integer()};
    auto empty = co_await looks_empty(connection, partition);
    if (!empty) co_return fail_with(std::move(empty.error()));
    if (!*empty) continue;
    auto dropped = co_await connection.query(drop, partition.parent, partition.name);
    if (!dropped && dropped.error().sqlstate != sqlstate::lock_not_available)
      co_return fail_with(std::move(dropped.error()));
    if (!dropped) {
      out.busy = true;
    } else if (dropped->next() && dropped->flag()) {
      out.names.push_back(partition.name);
    }
  }
  co_return out;
}

}  // namespace dg::store::postgres
