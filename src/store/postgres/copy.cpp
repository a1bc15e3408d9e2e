// Copying the checkpoints of one thread to another.
#include <map>
#include <set>

#include "store/documents.hpp"
#include "store/postgres/batch.hpp"
#include "store/postgres/collect.hpp"
#include "store/postgres/series_values.hpp"

namespace dg::store::postgres {
namespace {

using delta::SeriesKey;
using delta::SeriesKind;

constexpr std::string_view copy_writes =
    "INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path, "
    "channel, type, "
    "blob) SELECT $2, checkpoint_ns, checkpoint_id, task_id, idx, task_path, channel, type, blob FROM "
    "checkpoint_writes WHERE thread_id = $1 ON CONFLICT DO NOTHING";
constexpr std::string_view copy_tasks =
    "INSERT INTO checkpoint_tasks (thread_id, checkpoint_ns, checkpoint_id, task_id, patch) SELECT $2, "
    "checkpoint_ns, checkpoint_id, task_id, patch FROM checkpoint_tasks WHERE thread_id = $1 ON CONFLICT DO "
    "NOTHING";
constexpr std::string_view select_documents =
    "SELECT checkpoint_ns, checkpoint_id, metadata, projection, cuts FROM checkpoints WHERE thread_id = $1";
// No run of the copy's thread wrote these, so they have no writer.
constexpr std::string_view copy_checkpoints =
    "INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, run_id, "
    "metadata_run_id, has_next, metadata, channel_versions, type, checkpoint, projection, cuts) "
    "SELECT $2, c.checkpoint_ns, c.checkpoint_id, c.parent_checkpoint_id, '', c.metadata_run_id, c.has_next, "
    "w.metadata, c.channel_versions, c.type, c.checkpoint, w.projection, w.cuts FROM unnest($3, $4, $5, $6, "
    "$7) AS "
    "w (ns, id, metadata, projection, cuts) JOIN checkpoints AS c ON c.thread_id = $1 AND c.checkpoint_ns = "
    "w.ns AND "
    "c.checkpoint_id = w.id ON CONFLICT DO NOTHING";
constexpr std::string_view select_values =
    "SELECT checkpoint_ns, channel, version, type, series, blob FROM checkpoint_values WHERE thread_id = $1";
constexpr std::string_view select_series =
    "SELECT id, loose, checkpoint_ns, channel, kind FROM checkpoint_series WHERE thread_id = $1";
constexpr std::string_view has_series = "SELECT id FROM checkpoint_series WHERE thread_id = $1 LIMIT 1";
constexpr std::string_view copy_series =
    "INSERT INTO checkpoint_series (id, thread_id, checkpoint_ns, channel, kind, size, pending, loose, "
    "newest) "
    "SELECT nextval('checkpoint_series_id'), $2, checkpoint_ns, channel, kind, size, 0, 0, newest FROM "
    "checkpoint_series WHERE thread_id = $1 RETURNING id, checkpoint_ns, channel, kind";
constexpr std::string_view copy_parts =
    "INSERT INTO checkpoint_series_parts (series, at, size, data) SELECT w.copy, p.at, p.size, p.data FROM "
    "unnest($1, $2) AS w (source, copy) JOIN checkpoint_series_parts AS p ON p.series = w.source";

struct DocumentRow {
  std::string ns;
  std::string checkpoint_id;
  std::string metadata;
  std::string projection;
  std::vector<delta::Cut> cuts;
};

struct SourceRows {
  std::vector<DocumentRow> documents;
  std::vector<pack::ValueRow> values;
};

// A series of the source, and its copy where it was copied whole.
struct SeriesOfCopy {
  SeriesKey key;  // in the target
  std::int64_t copy = 0;
};
using SeriesById = std::map<std::int64_t, SeriesOfCopy>;

SeriesKey read_key(Rows& row, const std::string& thread_id) {
  SeriesKey key{thread_id, row.text(), row.text()};
  key.kind = row.view() == to_text(SeriesKind::json) ? SeriesKind::json : SeriesKind::blob;
  return key;
}

SourceRows read_source(Rows documents, Rows values) {
  SourceRows out;
  while (documents.next()) {
    auto& row = out.documents.emplace_back(
        DocumentRow{documents.text(), documents.text(), documents.text(), documents.text(), {}});
    auto bytes = documents.view();
    delta::take_cuts(bytes, row.cuts);
  }
  while (values.next())
    out.values.push_back(
        {values.text(), values.text(), values.text(), values.text(), values.integer(), {values.text()}});
  return out;
}

Task<Outcome<void>> copy_whole_series(Connection& connection, const CopyCheckpoints& change,
                                      SeriesById& series) {
  auto copied = co_await connection.query(copy_series, change.source, change.target);
  if (!copied) co_return fail_with(std::move(copied.error()));
  std::map<SeriesKey, std::int64_t> copies;
  while (copied->next()) {
    const auto id = copied->integer();
    copies[read_key(*copied, change.target)] = id;
  }
  for (auto& [id, of_copy] : series) of_copy.copy = copies.at(of_copy.key);
  Pipeline pipeline;
  pipeline.add_prepared(copy_parts, Params()
                                        .add_column(series, [](const auto& e) { return e.first; })
                                        .add_column(series, [](const auto& e) { return e.second.copy; }));
  co_return co_await connection.execute(std::move(pipeline));
}

std::vector<delta::Ref*> refs_of(SourceRows& rows, std::vector<delta::Ref>& of_values) {
  std::vector<delta::Ref*> out;
  for (auto& ref : of_values)
    if (ref.series != 0) out.push_back(&ref);
  for (auto& document : rows.documents)
    for (auto& cut : document.cuts) out.push_back(&cut.ref);
  return out;
}

std::map<std::int64_t, SeriesKey> keys_of(const SeriesById& series) {
  std::map<std::int64_t, SeriesKey> out;
  for (const auto& [id, of_copy] : series) out.emplace(id, of_copy.key);
  return out;
}

}  // namespace

Task<Outcome<void>> Batch::add_copies(std::vector<delta::Ref*> refs, std::map<std::int64_t, SeriesKey> keys) {
  Needs needs;
  for (const auto& [id, key] : keys) needs.series.insert(key);
  if (auto known = co_await facts_.read_details(connection_, needs); !known) co_return known;
  std::vector<delta::Ref> sources;
  for (const auto* ref : refs) sources.push_back(*ref);
  auto values = co_await read_series_values(connection_, std::move(sources));
  if (!values) co_return fail_with(std::move(values.error()));
  for (std::size_t i = 0; i < refs.size(); ++i)
    *refs[i] = add_large(keys.at(refs[i]->series), (*values)[i], delta::NamedBy::checkpoint);
  co_return Outcome<void>{};
}

Task<Outcome<void>> Batch::erase(Context& context, const CopyCheckpoints& change) {
  context.refresh(change.target);
  Pipeline reads;
  reads.add(select_documents, change.source);
  reads.add(select_values, change.source);
  reads.add(select_series, change.source);
  reads.add(has_series, change.target);
  reads.add(copy_writes, change.source, change.target);
  reads.add(copy_tasks, change.source, change.target);
  auto results = co_await connection_.run(std::move(reads));
  if (!results) co_return fail_with(std::move(results.error()));
  auto rows = read_source((*results)[0], (*results)[1]);
  SeriesById series;
  std::set<std::string> loose;  // namespaces with values that only frames of the source named
  for (auto& row = (*results)[2]; row.next();) {
    auto& of_copy = series[row.integer()];
    const bool is_loose = row.integer() != 0;
    of_copy.key = read_key(row, change.target);
    if (is_loose) loose.insert(of_copy.key.ns);
  }

  std::vector<delta::Ref> of_values;
  for (auto& row : rows.values) of_values.push_back({row.series, row.data.bytes});
  const auto refs = refs_of(rows, of_values);
  // A thread that has values of its own gets the others added to them, one by one.
  if ((*results)[3].size() == 0) {
    if (auto copied = co_await copy_whole_series(connection_, change, series); !copied) co_return copied;
    for (auto* const ref : refs) ref->series = series.at(ref->series).copy;
  } else if (auto added = co_await add_copies(refs, keys_of(series)); !added) {
    co_return added;
  }
  for (std::size_t i = 0; i < rows.values.size(); ++i) {
    auto row = std::move(rows.values[i]);
    row.series = of_values[i].series;
    row.data.bytes = std::move(of_values[i].recipe);
    writes_.values.push_back({change.target, std::move(row)});
  }
  Params documents(change.source, change.target);
  documents.add_column(rows.documents, &DocumentRow::ns)
      .add_column(rows.documents, &DocumentRow::checkpoint_id)
      .add_column(rows.documents, [&](const auto& row) { return metadata_in(row.metadata, change.target); })
      .add_column(rows.documents,
                  [&](const auto& row) { return projection_in(row.projection, change.target); })
      .add_column(rows.documents, [](const auto& row) {
        pack::Bytes cuts;
        if (!row.cuts.empty()) delta::put_cuts(cuts.bytes, row.cuts);
        return cuts;
      });
  Pipeline copies;
  copies.add_prepared(copy_checkpoints, std::move(documents));
  if (auto copied = co_await connection_.execute(std::move(copies)); !copied) co_return copied;
  if (auto flushed = co_await flush(); !flushed) co_return flushed;
  for (const auto& ns : loose)
    if (auto collected = co_await collect_series(connection_, change.target, ns); !collected)
      co_return collected;
  co_return Outcome<void>{};
}

}  // namespace dg::store::postgres
