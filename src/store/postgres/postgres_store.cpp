#include "store/postgres/postgres_store.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "store/postgres/api_keys.hpp"
#include "store/postgres/claims.hpp"
#include "store/postgres/gathered_read.hpp"
#include "store/postgres/pool.hpp"
#include "store/postgres/reads.hpp"
#include "store/postgres/writer.hpp"

namespace dg::store {
namespace postgres {
namespace {

namespace asio = boost::asio;
constexpr auto use_task = asio::use_awaitable_t<Executor>{};
constexpr ReadLimits small{.patience = time_of_small_questions};
constexpr const char* queue_full = "the database has more work queued than it may; try again";

// Runs that were locked by an instance that was stopped are others' after this time.
ConnectOptions claiming(ConnectOptions options) {
  options.idle_in_transaction_timeout = std::chrono::seconds(5);
  return options;
}

class PostgresStore final : public Store {
 public:
  PostgresStore(Env env, const PostgresOptions& options)
      : env_(env),
        max_queued_reads_(options.max_queued_reads),
        max_connections_(options.readers),
        writer_(std::make_shared<Writer>(
            env, options.connect,
            Writer::Limits{.commits = options.max_queued_commits, .bytes = options.max_queued_bytes},
            options.on_events)),
        pool_(env.timers, options.connect, options.readers, options.max_queued_reads),
        claims_(env.timers, claiming(options.connect), 1, options.max_queued_reads),
        vital_(env.timers, options.connect, 1, options.max_queued_reads),
        assistants_(pool_, env.random, &read_assistants_of, options.max_queued_reads),
        threads_now_(pool_, env.random, &read_threads_now, options.max_queued_reads),
        runs_(pool_, env.random, &read_runs_of, options.max_queued_reads) {}

  Task<Result<Committed>> do_commit(Commit commit) override {
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(Result<Committed>)>(
        [this, &commit](auto handler) {
          Writer::Done done = [h = std::move(handler)](Result<Committed> answer) mutable {
            std::move(h)(std::move(answer));
          };
          if (writer_->submit(std::move(commit), done)) return;
          asio::post(env_.timers.executor(),
                     [refused = std::move(done)]() mutable { refused(fail(Errc::unavailable, queue_full)); });
        },
        use_task);
  }

  StoreLoad load() const override {
    StoreLoad load;
    writer_->add_load(load);
    const auto pool = pool_.counts();
    load.queued_reads = pool.waiting + assistants_.waiting() + threads_now_.waiting() + runs_.waiting();
    load.max_queued_reads = max_queued_reads_;
    load.connections = pool.in_use + pool.idle;
    load.connections_in_use = pool.in_use;
    load.max_connections = max_connections_;
    load.connections_opened = pool.opened;
    load.connections_lost = pool.lost;
    return load;
  }

  void close() override {
    auto& loop = static_cast<asio::io_context&>(env_.timers.executor().context());
    while (!writer_->is_idle() && loop.run_one() > 0) {
    }
    writer_->close();
    pool_.close();
    claims_.close();
    vital_.close();
  }

  Reply<std::optional<domain::Assistant>> assistant(std::string id) override {
    return assistants_.get(std::move(id));
  }
  Reply<Found<domain::Assistant>> assistants(AssistantFilter filter, Page page) override {
    return ask(
        [filter = std::move(filter), page](Connection& db) { return read_assistants(db, filter, page); });
  }
  Reply<std::vector<AssistantVersion>> assistant_versions(std::string id, std::string metadata,
                                                          Page page) override {
    return ask([id = std::move(id), metadata = std::move(metadata), page](Connection& db) {
      return read_assistant_versions(db, id, metadata, page);
    });
  }
  Reply<std::optional<AssistantVersion>> assistant_version(std::string id, std::int64_t number) override {
    return ask(
        [id = std::move(id), number](Connection& db) { return read_assistant_version(db, id, number); });
  }
  Reply<std::optional<ThreadRow>> thread(std::string id) override {
    return ask([id = std::move(id)](Connection& db) { return read_thread(db, id); });
  }
  Reply<Found<ThreadRow>> threads(ThreadFilter filter, Page page) override {
    return ask([filter = std::move(filter), page](Connection& db) { return read_threads(db, filter, page); });
  }
  Reply<ThreadHead> thread_head(std::string id) override {
    return ask([id = std::move(id)](Connection& db) { return read_thread_head(db, id); });
  }
  Reply<ThreadNow> thread_now(std::string id) override { return threads_now_.get(std::move(id)); }
  Reply<std::optional<domain::Run>> run(std::string id) override { return runs_.get(std::move(id)); }
  Reply<std::vector<domain::Run>> runs(RunFilter filter, Page page) override {
    return ask([filter = std::move(filter), page](Connection& db) { return read_runs(db, filter, page); });
  }
  Reply<std::vector<domain::Run>> open_runs(std::string thread_id) override {
    return ask([thread_id = std::move(thread_id)](Connection& db) { return read_open_runs(db, thread_id); });
  }
  Reply<std::vector<domain::Run>> stopping_runs() override {
    return ask([](Connection& db) { return read_stopping_runs(db); });
  }
  Reply<std::vector<domain::Run>> overdue_runs(WallTime begun_before, std::int64_t limit) override {
    return ask([begun_before, limit](Connection& db) { return read_overdue_runs(db, begun_before, limit); });
  }
  Reply<Claimable> claimable_runs(std::vector<std::string> graph_ids, WallTime now,
                                  std::int64_t limit) override {
    return claim_runs(claims_, env_.random, std::move(graph_ids), now, limit);
  }
  Reply<std::optional<WallTime>> next_due(WallTime now) override {
    return ask([now](Connection& db) { return read_next_due(db, now); });
  }
  Reply<ActiveRuns> active_runs() override {
    return ask([](Connection& db) { return read_active_runs(db); });
  }
  Reply<std::vector<std::string>> runs_with_frames(WallTime ended, bool resumable,
                                                   std::int64_t limit) override {
    return ask([ended, resumable, limit](Connection& db) {
      return read_runs_with_frames(db, ended, resumable, limit);
    });
  }
  Reply<std::vector<domain::EventRecord>> events(std::string aggregate_id) override {
    return ask([id = std::move(aggregate_id)](Connection& db) { return read_events(db, id); });
  }
  Reply<std::optional<CheckpointTuple>> checkpoint(std::string thread_id, std::string ns,
                                                   std::string checkpoint_id) override {
    return ask([key = CheckpointKey{std::move(thread_id), std::move(ns), std::move(checkpoint_id)}](
                   Connection& db) { return read_checkpoint(db, key); });
  }
  Reply<std::vector<CheckpointTuple>> checkpoints(CheckpointFilter filter) override {
    return ask([filter = std::move(filter)](Connection& db) { return read_checkpoints(db, filter); });
  }
  Reply<std::vector<ChannelHistory>> channel_history(std::string thread_id, std::string ns,
                                                     std::string checkpoint_id,
                                                     std::vector<std::string> channels) override {
    return ask(
        [key = CheckpointKey{std::move(thread_id), std::move(ns), std::move(checkpoint_id)},
         channels = std::move(channels)](Connection& db) { return read_channel_history(db, key, channels); });
  }
  Reply<std::optional<CheckpointState>> state(std::string thread_id, std::string ns,
                                              std::string checkpoint_id) override {
    return ask([key = CheckpointKey{std::move(thread_id), std::move(ns), std::move(checkpoint_id)}](
                   Connection& db) { return read_state(db, key); });
  }
  Reply<std::vector<CheckpointState>> states(CheckpointFilter filter) override {
    return ask([filter = std::move(filter)](Connection& db) { return read_states(db, filter); });
  }
  Reply<FramePage> frames(std::string run_id, std::int64_t from, std::size_t max_bytes) override {
    return ask([run_id = std::move(run_id), from, max_bytes](Connection& db) {
      return read_frames(db, run_id, from, max_bytes);
    });
  }
  Reply<std::int64_t> frame_count(std::string run_id) override {
    return ask([run_id = std::move(run_id)](Connection& db) { return read_frame_count(db, run_id); });
  }
  Reply<std::optional<Frame>> last_frame(std::string run_id, std::string event) override {
    return ask([run_id = std::move(run_id), event = std::move(event)](Connection& db) {
      return read_last_frame(db, run_id, event);
    });
  }
  Reply<std::optional<Item>> item(std::vector<std::string> ns, std::string key) override {
    return ask([ns = std::move(ns), key = std::move(key)](Connection& db) { return read_item(db, ns, key); });
  }
  Reply<std::vector<Item>> items(ItemSearch search) override {
    return ask([search = std::move(search)](Connection& db) { return read_items(db, search); });
  }
  Reply<std::vector<std::vector<std::string>>> namespaces(NamespaceSearch search) override {
    return ask([search = std::move(search)](Connection& db) { return read_namespaces(db, search); });
  }
  Reply<std::vector<Session>> sessions() override {
    return read(vital_, env_.random, [](Connection& db) { return read_sessions(db); }, small);
  }
  Reply<std::optional<Session>> session(std::string id) override {
    return ask([id = std::move(id)](Connection& db) { return read_session(db, id); });
  }
  Task<Status> beat(std::vector<std::string> sessions) override {
    auto done = co_await read(
        vital_, env_.random,
        [sessions = std::move(sessions)](Connection& db) { return count_beats_of(db, sessions); }, small);
    if (!done) co_return fail(std::move(done.error()));
    co_return Status{};
  }
  Reply<std::vector<Lease>> leases() override {
    return ask([](Connection& db) { return read_leases(db); });
  }
  Reply<std::optional<Lease>> lease(std::string owner) override {
    return ask([owner = std::move(owner)](Connection& db) { return read_lease_of(db, owner); });
  }
  Reply<std::vector<GraphRow>> graphs() override {
    return ask([](Connection& db) { return read_graphs(db); });
  }
  Reply<std::optional<ApiKey>> api_key(std::string id) override {
    return ask([id = std::move(id)](Connection& db) { return read_api_key(db, id); });
  }
  Reply<std::vector<ApiKey>> api_keys() override {
    return ask([](Connection& db) { return read_api_keys(db); });
  }
  Reply<std::int64_t> ping() override {
    constexpr ReadLimits soon{.deadline = std::chrono::seconds(2), .attempts = 1};
    return read(vital_, env_.random, [](Connection& db) { return read_ping(db); }, soon);
  }

 private:
  // What `work` captures outlives each of its attempts.
  template <class Work>
  Task<Result<ReadBy<Work>>> ask(Work work) {
    return read(pool_, env_.random, std::move(work));
  }

  Env env_;
  std::size_t max_queued_reads_;
  std::size_t max_connections_;
  std::shared_ptr<Writer> writer_;
  Pool pool_;
  Pool claims_;  // a connection apart: its transactions last as long as runs are being started
  Pool vital_;   // and one for what must not wait behind clients' reads, or sessions and instances pass for
                 // dead
  GatheredRead<std::optional<domain::Assistant>> assistants_;
  GatheredRead<ThreadNow> threads_now_;
  GatheredRead<std::optional<domain::Run>> runs_;
};

}  // namespace
}  // namespace postgres

std::unique_ptr<Store> make_postgres_store(Env env, PostgresOptions options) {
  return std::make_unique<postgres::PostgresStore>(env, options);
}

}  // namespace dg::store
