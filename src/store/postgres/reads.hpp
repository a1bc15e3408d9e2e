// The reads of the port (store/queries.hpp), each on a connection that its caller has for itself and that
// outlives it. A read of several statements sees one moment. One that fails may leave a transaction open,
// which the caller rolls back.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/postgres/connection.hpp"
#include "store/queries.hpp"

namespace dg::store::postgres {

// Those that several ids name come in the order of the ids.
Task<Outcome<std::vector<std::optional<domain::Assistant>>>> read_assistants_of(Connection& db,
                                                                                std::vector<std::string> ids);
Task<Outcome<Found<domain::Assistant>>> read_assistants(Connection& db, AssistantFilter filter, Page page);
Task<Outcome<std::vector<AssistantVersion>>> read_assistant_versions(Connection& db, std::string id,
                                                                     std::string metadata, Page page);
Task<Outcome<std::optional<AssistantVersion>>> read_assistant_version(Connection& db, std::string id,
                                                                      std::int64_t number);

Task<Outcome<std::optional<ThreadRow>>> read_thread(Connection& db, std::string id);
Task<Outcome<Found<ThreadRow>>> read_threads(Connection& db, ThreadFilter filter, Page page);
Task<Outcome<ThreadHead>> read_thread_head(Connection& db, std::string id);
Task<Outcome<std::vector<ThreadNow>>> read_threads_now(Connection& db, std::vector<std::string> ids);

Task<Outcome<std::vector<std::optional<domain::Run>>>> read_runs_of(Connection& db,
                                                                    std::vector<std::string> ids);
Task<Outcome<std::vector<domain::Run>>> read_runs(Connection& db, RunFilter filter, Page page);
Task<Outcome<std::vector<domain::Run>>> read_open_runs(Connection& db, std::string thread_id);
Task<Outcome<std::vector<domain::Run>>> read_stopping_runs(Connection& db);
Task<Outcome<std::vector<domain::Run>>> read_overdue_runs(Connection& db, WallTime begun_before,
                                                          std::int64_t limit);
// Begins a transaction, whose end unlocks what it gives.
Task<Outcome<std::vector<domain::Run>>> read_claimable_runs(Connection& db,
                                                            std::vector<std::string> graph_ids, WallTime now,
                                                            std::int64_t limit);
Task<Outcome<std::optional<WallTime>>> read_next_due(Connection& db, WallTime now);
Task<Outcome<ActiveRuns>> read_active_runs(Connection& db);
Task<Outcome<std::vector<std::string>>> read_runs_with_frames(Connection& db, WallTime ended, bool resumable,
                                                              std::int64_t limit);
Task<Outcome<std::vector<domain::EventRecord>>> read_events(Connection& db, std::string aggregate_id);

// An empty id: the newest checkpoint of the namespace.
Task<Outcome<std::optional<CheckpointTuple>>> read_checkpoint(Connection& db, CheckpointKey key);
Task<Outcome<std::vector<CheckpointTuple>>> read_checkpoints(Connection& db, CheckpointFilter filter);
Task<Outcome<std::vector<ChannelHistory>>> read_channel_history(Connection& db, CheckpointKey key,
                                                                std::vector<std::string> channels);
Task<Outcome<std::optional<CheckpointState>>> read_state(Connection& db, CheckpointKey key);
Task<Outcome<std::vector<CheckpointState>>> read_states(Connection& db, CheckpointFilter filter);

Task<Outcome<Queries::FramePage>> read_frames(Connection& db, std::string run_id, std::int64_t from,
                                              std::size_t max_bytes);
Task<Outcome<std::int64_t>> read_frame_count(Connection& db, std::string run_id);
Task<Outcome<std::optional<Frame>>> read_last_frame(Connection& db, std::string run_id, std::string event);

Task<Outcome<std::optional<Item>>> read_item(Connection& db, std::vector<std::string> ns, std::string key);
Task<Outcome<std::vector<Item>>> read_items(Connection& db, ItemSearch search);
Task<Outcome<std::vector<std::vector<std::string>>>> read_namespaces(Connection& db, NamespaceSearch search);

Task<Outcome<std::vector<Session>>> read_sessions(Connection& db);
Task<Outcome<std::optional<Session>>> read_session(Connection& db, std::string id);
Task<Outcome<bool>> count_beats_of(Connection& db, const std::vector<std::string>& sessions);
Task<Outcome<std::vector<Lease>>> read_leases(Connection& db);
Task<Outcome<std::optional<Lease>>> read_lease_of(Connection& db, std::string owner);
Task<Outcome<std::vector<GraphRow>>> read_graphs(Connection& db);

// The schema's version; 0 when no migration was applied.
Task<Outcome<std::int64_t>> read_ping(Connection& db);

}  // namespace dg::store::postgres
