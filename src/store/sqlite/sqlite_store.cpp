#include "store/sqlite/sqlite_store.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <utility>

#include "store/sqlite/batch.hpp"
#include "store/sqlite/migrations.hpp"
#include "store/sqlite/readers.hpp"
#include "store/sqlite/reads.hpp"
#include "store/sqlite/writer.hpp"

namespace dg::store {
namespace sqlite {
namespace {

namespace asio = boost::asio;
constexpr auto use_task = asio::use_awaitable_t<Executor>{};
constexpr const char* queue_full = "the database has more work queued than it may; try again";

// Runs commits and reads where they belong; the store above gives them their types.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual Task<Result<Committed>> commit(Commit commit) = 0;
  // `work` is finished, or was refused, when the task is.
  virtual Task<Status> read(std::move_only_function<void(Database&)> work) = 0;
  virtual StoreLoad load() const = 0;
};

class InlineEngine final : public Engine {
 public:
  InlineEngine(std::unique_ptr<Database> db, Env env, std::chrono::milliseconds deadline, PackLimits packs)
      : db_(std::move(db)), series_(*db_), packer_(*db_, packs), env_(env), deadline_(deadline) {}

  Task<Result<Committed>> commit(Commit commit) override {
    const Commit* const one = &commit;
    ++commits_;
    auto answer = std::move(commit_batch(*db_, series_, env_, {&one, 1}).front());
    if (answer) packer_.note(commit);
    while (packer_.waiting() > 0) packer_.step();
    co_return answer;
  }

  Task<Status> read(std::move_only_function<void(Database&)> work) override {
    co_return read_in_transaction(*db_, work, deadline_);
  }

  StoreLoad load() const override { return {.commits = commits_, .batches = commits_}; }

 private:
  std::unique_ptr<Database> db_;
  SeriesWriter series_;
  Packer packer_;
  Env env_;
  std::chrono::milliseconds deadline_;
  std::uint64_t commits_ = 0;
};

class ThreadedEngine final : public Engine {
 public:
  ThreadedEngine(Executor executor, std::unique_ptr<Writer> writer, std::unique_ptr<Readers> readers,
                 std::chrono::milliseconds deadline)
      : executor_(executor), deadline_(deadline), writer_(std::move(writer)), readers_(std::move(readers)) {}

  Task<Result<Committed>> commit(Commit commit) override {
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(Result<Committed>)>(
        [this, &commit](auto handler) {
          Writer::Done done = [h = std::move(handler)](Result<Committed> answer) mutable {
            std::move(h)(std::move(answer));
          };
          if (writer_->submit(std::move(commit), done)) return;
          asio::post(executor_,
                     [refused = std::move(done)]() mutable { refused(fail(Errc::unavailable, queue_full)); });
        },
        use_task);
  }

  Task<Status> read(std::move_only_function<void(Database&)> work) override {
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(Status)>(
        [this, &work](auto handler) {
          auto shared = std::make_shared<decltype(handler)>(std::move(handler));
          const auto answer = [shared, executor = executor_](Status status) {
            asio::post(executor, [shared, status = std::move(status)]() mutable {
              std::move (*shared)(std::move(status));
            });
          };
          auto job = [answer, deadline = deadline_, run = std::move(work),
                      keeps_loop = asio::make_work_guard(executor_)](Database& db) mutable {
            answer(read_in_transaction(db, run, deadline));
          };
          if (!readers_->submit(std::move(job))) answer(fail(Errc::unavailable, queue_full));
        },
        use_task);
  }

  StoreLoad load() const override {
    StoreLoad load;
    writer_->add_load(load);
    readers_->add_load(load);
    return load;
  }

 private:
  Executor executor_;
  std::chrono::milliseconds deadline_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Readers> readers_;
};

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}

  Task<Result<Committed>> do_commit(Commit commit) override { return engine_->commit(std::move(commit)); }
  StoreLoad load() const override { return engine_->load(); }
  // The last connection that closes folds the write-ahead log into the database file.
  void close() override { engine_.reset(); }

  Reply<std::optional<domain::Assistant>> assistant(std::string id) override {
    return read<std::optional<domain::Assistant>>(
        [id = std::move(id)](Database& db) { return read_assistant(db, id); });
  }
  Reply<Found<domain::Assistant>> assistants(AssistantFilter filter, Page page) override {
    return read<Found<domain::Assistant>>(
        [filter = std::move(filter), page](Database& db) { return read_assistants(db, filter, page); });
  }
  Reply<std::vector<AssistantVersion>> assistant_versions(std::string id, std::string metadata,
                                                          Page page) override {
    return read<std::vector<AssistantVersion>>(
        [id = std::move(id), metadata = std::move(metadata), page](Database& db) {
          return read_assistant_versions(db, id, metadata, page);
        });
  }
  Reply<std::optional<AssistantVersion>> assistant_version(std::string id, std::int64_t number) override {
    return read<std::optional<AssistantVersion>>(
        [id = std::move(id), number](Database& db) { return read_assistant_version(db, id, number); });
  }
  Reply<std::optional<ThreadRow>> thread(std::string id) override {
    return read<std::optional<ThreadRow>>([id = std::move(id)](Database& db) { return read_thread(db, id); });
  }
  Reply<Found<ThreadRow>> threads(ThreadFilter filter, Page page) override {
    return read<Found<ThreadRow>>(
        [filter = std::move(filter), page](Database& db) { return read_threads(db, filter, page); });
  }
  Reply<ThreadHead> thread_head(std::string id) override {
    return read<ThreadHead>([id = std::move(id)](Database& db) { return read_thread_head(db, id); });
  }
  Reply<ThreadNow> thread_now(std::string id) override {
    return read<ThreadNow>([id = std::move(id)](Database& db) { return read_thread_now(db, id); });
  }
  Reply<std::optional<domain::Run>> run(std::string id) override {
    return read<std::optional<domain::Run>>([id = std::move(id)](Database& db) { return read_run(db, id); });
  }
  Reply<std::vector<domain::Run>> runs(RunFilter filter, Page page) override {
    return read<std::vector<domain::Run>>(
        [filter = std::move(filter), page](Database& db) { return read_runs(db, filter, page); });
  }
  Reply<std::vector<domain::Run>> open_runs(std::string thread_id) override {
    return read<std::vector<domain::Run>>(
        [thread_id = std::move(thread_id)](Database& db) { return read_open_runs(db, thread_id); });
  }
  Reply<std::vector<domain::Run>> stopping_runs() override {
    return read<std::vector<domain::Run>>([](Database& db) { return read_stopping_runs(db); });
  }
  Reply<std::vector<domain::Run>> overdue_runs(WallTime begun_before, std::int64_t limit) override {
    return read<std::vector<domain::Run>>(
        [begun_before, limit](Database& db) { return read_overdue_runs(db, begun_before, limit); });
  }
  // Nobody else starts runs of the file.
  Reply<Claimable> claimable_runs(std::vector<std::string> graph_ids, WallTime now,
                                  std::int64_t limit) override {
    return read<Claimable>([graph_ids = std::move(graph_ids), now, limit](Database& db) {
      return Claimable{read_claimable_runs(db, graph_ids, now, limit), {}};
    });
  }
  Reply<std::optional<WallTime>> next_due(WallTime now) override {
    return read<std::optional<WallTime>>([now](Database& db) { return read_next_due(db, now); });
  }
  Reply<ActiveRuns> active_runs() override {
    return read<ActiveRuns>([](Database& db) { return read_active_runs(db); });
  }
  Reply<std::vector<std::string>> runs_with_frames(WallTime ended, bool resumable,
                                                   std::int64_t limit) override {
    return read<std::vector<std::string>>([ended, resumable, limit](Database& db) {
      return read_runs_with_frames(db, ended, resumable, limit);
    });
  }
  Reply<std::vector<domain::EventRecord>> events(std::string aggregate_id) override {
    return read<std::vector<domain::EventRecord>>(
        [aggregate_id = std::move(aggregate_id)](Database& db) { return read_events(db, aggregate_id); });
  }
  Reply<std::optional<CheckpointTuple>> checkpoint(std::string thread_id, std::string ns,
                                                   std::string checkpoint_id) override {
    return read<std::optional<CheckpointTuple>>([thread_id = std::move(thread_id), ns = std::move(ns),
                                                 checkpoint_id = std::move(checkpoint_id)](Database& db) {
      return read_checkpoint(db, {thread_id, ns, checkpoint_id});
    });
  }
  Reply<std::vector<CheckpointTuple>> checkpoints(CheckpointFilter filter) override {
    return read<std::vector<CheckpointTuple>>(
        [filter = std::move(filter)](Database& db) { return read_checkpoints(db, filter); });
  }
  Reply<std::vector<ChannelHistory>> channel_history(std::string thread_id, std::string ns,
                                                     std::string checkpoint_id,
                                                     std::vector<std::string> channels) override {
    return read<std::vector<ChannelHistory>>([thread_id = std::move(thread_id), ns = std::move(ns),
                                              checkpoint_id = std::move(checkpoint_id),
                                              channels = std::move(channels)](Database& db) {
      return read_channel_history(db, {thread_id, ns, checkpoint_id}, channels);
    });
  }
  Reply<std::optional<CheckpointState>> state(std::string thread_id, std::string ns,
                                              std::string checkpoint_id) override {
    return read<std::optional<CheckpointState>>([thread_id = std::move(thread_id), ns = std::move(ns),
                                                 checkpoint_id = std::move(checkpoint_id)](Database& db) {
      return read_state(db, {thread_id, ns, checkpoint_id});
    });
  }
  Reply<std::vector<CheckpointState>> states(CheckpointFilter filter) override {
    return read<std::vector<CheckpointState>>(
        [filter = std::move(filter)](Database& db) { return read_states(db, filter); });
  }
  Reply<FramePage> frames(std::string run_id, std::int64_t from, std::size_t max_bytes) override {
    return read<FramePage>([run_id = std::move(run_id), from, max_bytes](Database& db) {
      return read_frames(db, run_id, from, max_bytes);
    });
  }
  Reply<std::int64_t> frame_count(std::string run_id) override {
    return read<std::int64_t>(
        [run_id = std::move(run_id)](Database& db) { return read_frame_count(db, run_id); });
  }
  Reply<std::optional<Frame>> last_frame(std::string run_id, std::string event) override {
    return read<std::optional<Frame>>([run_id = std::move(run_id), event = std::move(event)](Database& db) {
      return read_last_frame(db, run_id, event);
    });
  }
  Reply<std::optional<Item>> item(std::vector<std::string> ns, std::string key) override {
    return read<std::optional<Item>>(
        [ns = std::move(ns), key = std::move(key)](Database& db) { return read_item(db, ns, key); });
  }
  Reply<std::vector<Item>> items(ItemSearch search) override {
    return read<std::vector<Item>>(
        [search = std::move(search)](Database& db) { return read_items(db, search); });
  }
  Reply<std::vector<std::vector<std::string>>> namespaces(NamespaceSearch search) override {
    return read<std::vector<std::vector<std::string>>>(
        [search = std::move(search)](Database& db) { return read_namespaces(db, search); });
  }
  Reply<std::vector<Session>> sessions() override {
    return read<std::vector<Session>>([](Database& db) { return read_sessions(db); });
  }
  Reply<std::optional<Session>> session(std::string id) override {
    return read<std::optional<Session>>([id = std::move(id)](Database& db) { return read_session(db, id); });
  }
  // No other instance shares the file.
  Task<Status> beat(std::vector<std::string>) override { co_return Status{}; }
  Reply<std::vector<Lease>> leases() override {
    return read<std::vector<Lease>>([](Database& db) { return read_leases(db); });
  }
  Reply<std::optional<Lease>> lease(std::string owner) override {
    return read<std::optional<Lease>>(
        [owner = std::move(owner)](Database& db) { return read_lease_of(db, owner); });
  }
  Reply<std::vector<GraphRow>> graphs() override {
    return read<std::vector<GraphRow>>([](Database& db) { return read_graphs(db); });
  }
  Reply<std::optional<ApiKey>> api_key(std::string id) override {
    return read<std::optional<ApiKey>>([id = std::move(id)](Database& db) { return read_api_key(db, id); });
  }
  Reply<std::vector<ApiKey>> api_keys() override {
    return read<std::vector<ApiKey>>([](Database& db) { return read_api_keys(db); });
  }
  Reply<std::int64_t> ping() override {
    return read<std::int64_t>([](Database& db) { return schema_version(db); });
  }

 private:
  // What the other thread fills in is shared with it, since the caller may be gone by then.
  template <class T>
  Reply<T> read(std::function<T(Database&)> fn) {
    auto found = std::make_shared<T>();
    const auto status =
        co_await engine_->read([found, fn = std::move(fn)](Database& db) { *found = fn(db); });
    if (!status) co_return fail(status.error());
    co_return std::move(*found);
  }

  std::unique_ptr<Engine> engine_;
};

ConnectionOptions connection(const SqliteOptions& options, std::int64_t cache_kib) {
  return {options.path, cache_kib, options.mmap_bytes, options.busy_timeout};
}

PackLimits pack_limits(const SqliteOptions& options) {
  return {.after = options.pack_after, .keep = options.pack_after / 4};
}

Result<std::unique_ptr<Engine>> make_threads(Env env, const SqliteOptions& options,
                                             std::unique_ptr<Database> db) {
  auto for_keeper = Database::open(connection(options, options.reader_cache_kib));
  if (!for_keeper) return fail(for_keeper.error());
  std::vector<std::unique_ptr<Database>> for_readers;
  for (int i = 0; i < options.readers; ++i) {
    auto reader = Database::open(connection(options, options.reader_cache_kib));
    if (!reader) return fail(reader.error());
    for_readers.push_back(std::move(*reader));
  }
  const Writer::Limits limits{options.max_queued_commits, options.max_queued_bytes};
  auto writer = std::make_unique<Writer>(std::move(db), std::make_unique<WalKeeper>(std::move(*for_keeper)),
                                         env, limits, pack_limits(options));
  auto readers = std::make_unique<Readers>(std::move(for_readers), options.max_queued_reads);
  return std::make_unique<ThreadedEngine>(env.timers.executor(), std::move(writer), std::move(readers),
                                          options.read_deadline);
}

}  // namespace
}  // namespace sqlite

Result<std::unique_ptr<Store>> open_sqlite(Env env, SqliteOptions options) {
  const bool in_memory = options.path == ":memory:" || options.path.empty();
  if (in_memory && !options.inline_mode)
    return fail(Errc::invalid_argument, "a database in memory has one connection: it needs inline_mode");
  if (!options.inline_mode && options.readers < 1)
    return fail(Errc::invalid_argument, "the store needs at least one reader");
  auto db = sqlite::Database::open(sqlite::connection(options, options.writer_cache_kib));
  if (!db) return fail(db.error());
  if (const auto status = sqlite::migrate(**db, env.clock); !status) return fail(status.error());
  if (options.inline_mode)
    return std::make_unique<sqlite::SqliteStore>(std::make_unique<sqlite::InlineEngine>(
        std::move(*db), env, options.read_deadline, sqlite::pack_limits(options)));
  auto engine = sqlite::make_threads(env, options, std::move(*db));
  if (!engine) return fail(engine.error());
  return std::make_unique<sqlite::SqliteStore>(std::move(*engine));
}

}  // namespace dg::store
