// The rows that a transaction is going to write. They are gathered from all of its commits and written by one
// statement per table.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "store/postgres/api_keys.hpp"
#include "store/postgres/connection.hpp"
#include "store/postgres/facts.hpp"
#include "store/postgres/tables.hpp"
#include "store/store.hpp"

namespace dg::store::postgres {

// What commits did to a thread and when last, for bringing its row up to date.
struct Touched {
  std::optional<WallTime> changed_at;  // its log, runs or checkpoints: counts as an update of the thread
  std::optional<WallTime> state_at;    // a root checkpoint was written
  bool status = false;                 // so was what its status follows from
};

struct Writes {
  std::vector<EventRow> events;         // of assistants and threads
  std::vector<EventRow> run_events;     // `aggregate_id` is the run
  std::set<std::string> advanced_runs;  // whose version moved
  std::map<std::string, domain::Run> runs;
  std::vector<std::string> marked_runs;  // that have a checkpoint now
  std::map<std::string, domain::Thread> threads;
  std::map<std::string, Touched> touched;
  std::map<std::string, domain::Assistant> assistants;
  std::map<std::pair<std::string, std::int64_t>, AssistantVersion> assistant_versions;
  std::map<CheckpointPlace, OfThread<pack::CheckpointRow>> checkpoints;
  std::vector<OfThread<pack::ValueRow>> values;
  std::map<std::pair<TaskPlace, std::int64_t>, OfThread<pack::WriteRow>> writes;
  std::map<TaskPlace, OfThread<pack::TaskRow>> tasks;
  std::vector<SegmentRow> segments;
  std::vector<SegmentKey> erased_segments;  // that were merged; those that replace them may have their keys
  std::set<std::string> framed_runs;        // that have their first frames now
  std::vector<SeriesPartRow> series_parts;
  std::vector<PartKey> erased_parts;  // that were merged; those that replace them may have their keys
  std::map<delta::SeriesKey, const delta::Series*> series;
  // By namespace_key and key; what was erased before it was put is made anew.
  std::set<std::pair<std::string, std::string>> erased_items;
  std::map<std::pair<std::string, std::string>, Item> items;
  std::map<std::string, std::optional<Session>> sessions;
  std::set<std::string> disconnected_sessions;        // as put by this transaction, or by one before it
  std::map<std::string, std::string> ended_sessions;  // likewise; why
  std::map<std::string, GraphRow> graphs;
  ApiKeyWrites keys;

  // Adds the statements and forgets the rows. Threads' rows come last, since they follow from the others.
  void take_into(Pipeline& pipeline, Facts& facts);
  // The same for checkpoints and what hangs on them alone.
  void take_checkpoints(Pipeline& pipeline);

 private:
  void take_heads(Pipeline& pipeline, Facts& facts);
  void take_outbox(Pipeline& pipeline);
  void take_events(Pipeline& pipeline);
  void take_runs(Pipeline& pipeline, const Facts& facts);
  void take_leases(Pipeline& pipeline, Facts& facts);
  void take_assistants(Pipeline& pipeline);
  void take_series(Pipeline& pipeline);
  void take_items(Pipeline& pipeline);
  void take_workers(Pipeline& pipeline);
  void take_threads(Pipeline& pipeline, const Facts& facts);
};

// Heads that were made in order to be locked, where nothing came of it. Only before the transaction ends.
void drop_empty_heads(Pipeline& pipeline, const Facts& facts);

}  // namespace dg::store::postgres
