#include "store/postgres/snapshot.hpp"

#include <fmt/format.h>

namespace dg::store::postgres {

Task<Outcome<std::vector<Rows>>> Snapshot::run(Pipeline pipeline, Then then) {
  const bool last = then == Then::done && hold_ == Hold::for_rows;
  // One statement sees one moment by itself.
  if (last && !open_ && pipeline.size() == 1 && !plans_for_values_) return db_.run(std::move(pipeline));
  return run_in_transaction(std::move(pipeline), last);
}

Task<Outcome<std::vector<Rows>>> Snapshot::run_in_transaction(Pipeline pipeline, bool last) {
  const bool first = !std::exchange(open_, true);
  Pipeline all;
  if (first) all.add("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  if (first && plans_for_values_) all.add("SET LOCAL plan_cache_mode = force_custom_plan");
  const auto before = static_cast<std::ptrdiff_t>(all.size());
  all.append(std::move(pipeline));
  if (last) all.add("COMMIT");
  auto results = co_await db_.run(std::move(all));
  if (!results) co_return fail_with(std::move(results.error()));
  results->erase(results->begin(), results->begin() + before);
  if (last) {
    results->pop_back();
    open_ = false;
  }
  co_return results;
}

Task<Outcome<void>> Snapshot::load(SeriesValues& values, Then then) {
  if (values.empty()) {
    if (then == Then::more) co_return Outcome<void>{};
    co_return co_await end();
  }
  Pipeline pipeline;
  const auto place = values.add_to(pipeline);
  if (then == Then::done && open_) {
    pipeline.add("COMMIT");
    open_ = false;
  }
  auto results = co_await db_.run(std::move(pipeline));
  if (!results) co_return fail_with(std::move(results.error()));
  values.take((*results)[place]);
  co_return Outcome<void>{};
}

Task<Outcome<void>> Snapshot::end() {
  if (!std::exchange(open_, false)) co_return Outcome<void>{};
  auto ended = co_await db_.query("COMMIT");
  if (!ended) co_return fail_with(std::move(ended.error()));
  co_return Outcome<void>{};
}

Walk::Walk(Snapshot& snapshot, std::string_view name, std::string_view select, Params params,
           std::int64_t most_rows)
    : snapshot_(snapshot),
      declare_(fmt::format("DECLARE {} NO SCROLL CURSOR FOR {}", name, select)),
      fetch_(fmt::format("FETCH {} FROM {}", most_rows, name)),
      params_(std::move(params)),
      most_rows_(most_rows) {}

Task<Outcome<Rows>> Walk::next() {
  if (ended_) co_return Rows();
  Pipeline pipeline;
  if (!std::exchange(begun_, true)) pipeline.add_prepared(declare_, std::move(params_));
  pipeline.add(fetch_);
  auto results = co_await snapshot_.run(std::move(pipeline), Snapshot::Then::more);
  if (!results) co_return fail_with(std::move(results.error()));
  ended_ = results->back().size() < most_rows_;
  co_return std::move(results->back());
}

}  // namespace dg::store::postgres
