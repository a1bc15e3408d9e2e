#include "store/postgres/partitions.hpp"

namespace dg::store::postgres {

Task<Outcome<void>> ensure_partitions(Connection& connection) {
  auto made = co_await connection.query("SELECT duragraph_ensure_partitions(now() + interval '56 days')");
  if (!made) co_return fail_with(std::move(made.error()));
  co_return Outcome<void>{};
}

}  // namespace dg::store::postgres
