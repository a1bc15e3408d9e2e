#include "store/postgres/collect.hpp"

#include "store/delta/collection.hpp"
#include "store/frame_codec.hpp"

namespace dg::store::postgres {
namespace {

constexpr std::string_view select_series =
    "SELECT id, loose, newest FROM checkpoint_series WHERE thread_id = $1 AND checkpoint_ns = $2";
constexpr std::string_view select_values =
    "SELECT series, blob FROM checkpoint_values WHERE thread_id = $1 AND checkpoint_ns = $2 AND series <> 0";
constexpr std::string_view select_projections =
    "SELECT cuts FROM checkpoints WHERE thread_id = $1 AND checkpoint_ns = $2 AND length(cuts) > 0";
constexpr std::string_view select_frames =
    "SELECT s.cuts FROM runs AS r JOIN run_segments AS s ON s.run_id = r.id WHERE r.thread_id = $1 AND "
    "length(s.cuts) > 0";
constexpr std::string_view select_parts =
    "SELECT series, at, size FROM checkpoint_series_parts WHERE series = ANY ($1)";
constexpr std::string_view delete_parts =
    "DELETE FROM checkpoint_series_parts AS p USING unnest($1, $2) AS w (series, at) WHERE p.series = "
    "w.series AND "
    "p.at = w.at";
// Another instance may hold values that were put together from what is deleted: by this it sees that they are
// out of date.
constexpr std::string_view count_change =
    "UPDATE checkpoint_series SET pending = pending + 1 WHERE id = ANY ($1)";
constexpr std::string_view update_series =
    "UPDATE checkpoint_series AS s SET newest = w.newest, loose = w.loose FROM unnest($1, $2, $3) AS "
    "w (id, newest, loose) WHERE s.id = w.id";
constexpr std::string_view delete_series = "DELETE FROM checkpoint_series WHERE id = ANY ($1)";
constexpr std::string_view select_namespaces =
    "SELECT DISTINCT checkpoint_ns FROM checkpoint_series WHERE thread_id = $1";
constexpr std::string_view delete_parts_of_thread =
    "DELETE FROM checkpoint_series_parts WHERE series IN (SELECT id FROM checkpoint_series WHERE thread_id = "
    "$1)";
constexpr std::string_view delete_series_of_thread = "DELETE FROM checkpoint_series WHERE thread_id = $1";

delta::Collection named_of(Rows series, Rows values, Rows frames, Rows projections) {
  delta::Collection named;
  while (series.next()) {
    const auto id = series.integer();
    const auto loose = series.integer();
    named.add(id, loose, series.text());
  }
  while (values.next()) {
    const auto id = values.integer();
    named.name(id, values.view(), false);
  }
  while (frames.next())
    for (const auto& [place, cuts] : decode_cuts(frames.view())) named.name(cuts, true);
  while (projections.next()) {
    auto bytes = projections.view();
    std::vector<delta::Cut> cuts;
    if (delta::take_cuts(bytes, cuts)) named.name(cuts, false);
  }
  return named;
}

void erase_unnamed(Pipeline& pipeline, const delta::Collection& named, Rows parts) {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> places;
  while (parts.next()) {
    const auto id = parts.integer();
    const auto at = parts.integer();
    if (named.needs(id, at, parts.integer())) continue;
    ids.push_back(id);
    places.push_back(at);
  }
  if (!ids.empty()) {
    pipeline.add(count_change, ids);
    pipeline.add(delete_parts, ids, places);
  }
  if (const auto unnamed = named.unnamed(); !unnamed.empty()) pipeline.add(delete_series, unnamed);
  using Change = delta::Collection::Change;
  const auto changes = named.changes();
  if (changes.empty()) return;
  pipeline.add_prepared(update_series,
                        Params()
                            .add_column(changes, &Change::id)
                            .add_column(changes, [](const Change& c) { return pack::Bytes{c.newest}; })
                            .add_column(changes, &Change::loose));
}

}  // namespace

Task<Outcome<void>> collect_series(Connection& connection, std::string thread_id, std::string ns) {
  Pipeline reads;
  reads.add(select_series, thread_id, ns);
  reads.add(select_values, thread_id, ns);
  reads.add(select_frames, thread_id);
  reads.add(select_projections, thread_id, ns);
  auto rows = co_await connection.run(std::move(reads));
  if (!rows) co_return fail_with(std::move(rows.error()));
  const auto named = named_of((*rows)[0], (*rows)[1], (*rows)[2], (*rows)[3]);
  if (named.is_empty()) co_return Outcome<void>{};
  auto parts = co_await connection.query(select_parts, named.ids());
  if (!parts) co_return fail_with(std::move(parts.error()));
  Pipeline writes;
  erase_unnamed(writes, named, std::move(*parts));
  if (writes.empty()) co_return Outcome<void>{};
  co_return co_await connection.execute(std::move(writes));
}

Task<Outcome<void>> collect_series_of_thread(Connection& connection, std::string thread_id) {
  auto namespaces = co_await connection.query(select_namespaces, thread_id);
  if (!namespaces) co_return fail_with(std::move(namespaces.error()));
  while (namespaces->next())
    if (auto collected = co_await collect_series(connection, thread_id, namespaces->text()); !collected)
      co_return collected;
  co_return Outcome<void>{};
}

Task<Outcome<void>> erase_series(Connection& connection, std::string thread_id) {
  Pipeline pipeline;
  pipeline.add(delete_parts_of_thread, thread_id);
  pipeline.add(delete_series_of_thread, thread_id);
  co_return co_await connection.execute(std::move(pipeline));
}

}  // namespace dg::store::postgres
