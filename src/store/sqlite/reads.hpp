// The reads of the port, each inside a transaction that its caller opened. An error sticks to the
// connection; what a read returns then means nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/queries.hpp"
#include "store/sqlite/database.hpp"

namespace dg::store::sqlite {

std::optional<domain::Assistant> read_assistant(Database& db, const std::string& id);
Found<domain::Assistant> read_assistants(Database& db, const AssistantFilter& filter, Page page);
std::vector<AssistantVersion> read_assistant_versions(Database& db, const std::string& id,
                                                      const std::string& metadata, Page page);
std::optional<AssistantVersion> read_assistant_version(Database& db, const std::string& id,
                                                       std::int64_t number);

std::optional<ThreadRow> read_thread(Database& db, const std::string& id);
Found<ThreadRow> read_threads(Database& db, const ThreadFilter& filter, Page page);
ThreadHead read_thread_head(Database& db, const std::string& id);
ThreadNow read_thread_now(Database& db, const std::string& id);

std::optional<domain::Run> read_run(Database& db, const std::string& id);
std::vector<domain::Run> read_runs(Database& db, const RunFilter& filter, Page page);
std::vector<domain::Run> read_open_runs(Database& db, const std::string& thread_id);
std::vector<domain::Run> read_stopping_runs(Database& db);
std::vector<domain::Run> read_overdue_runs(Database& db, WallTime begun_before, std::int64_t limit);
std::vector<domain::Run> read_claimable_runs(Database& db, const std::vector<std::string>& graph_ids,
                                             WallTime now, std::int64_t limit);
ActiveRuns read_active_runs(Database& db);
std::optional<WallTime> read_next_due(Database& db, WallTime now);
std::vector<std::string> read_runs_with_frames(Database& db, WallTime ended, bool resumable,
                                               std::int64_t limit);
std::vector<domain::EventRecord> read_events(Database& db, const std::string& aggregate_id);

std::optional<CheckpointTuple> read_checkpoint(Database& db, const CheckpointKey& key);
std::vector<CheckpointTuple> read_checkpoints(Database& db, const CheckpointFilter& filter);
std::vector<ChannelHistory> read_channel_history(Database& db, const CheckpointKey& key,
                                                 const std::vector<std::string>& channels);
std::optional<CheckpointState> read_state(Database& db, const CheckpointKey& key);
std::vector<CheckpointState> read_states(Database& db, const CheckpointFilter& filter);
// Nothing when the namespace has no checkpoint.
std::optional<CheckpointKey> newest_checkpoint(Database& db, const std::string& thread_id,
                                               const std::string& ns);

Queries::FramePage read_frames(Database& db, const std::string& run_id, std::int64_t from,
                               std::size_t max_bytes);
std::int64_t read_frame_count(Database& db, const std::string& run_id);
std::optional<Frame> read_last_frame(Database& db, const std::string& run_id, const std::string& event);

std::optional<Item> read_item(Database& db, const std::vector<std::string>& ns, const std::string& key);
std::vector<Item> read_items(Database& db, const ItemSearch& search);
std::vector<std::vector<std::string>> read_namespaces(Database& db, const NamespaceSearch& search);

std::vector<Session> read_sessions(Database& db);
std::optional<Session> read_session(Database& db, const std::string& id);
std::vector<Lease> read_leases(Database& db);
std::optional<Lease> read_lease_of(Database& db, const std::string& owner);
std::vector<GraphRow> read_graphs(Database& db);

std::optional<ApiKey> read_api_key(Database& db, const std::string& id);
std::vector<ApiKey> read_api_keys(Database& db);

}  // namespace dg::store::sqlite
