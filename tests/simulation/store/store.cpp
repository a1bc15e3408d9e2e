#include "simulation/store/store.hpp"

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "simulation/store/database.hpp"
#include "store/columns.hpp"

namespace dg::simulation {
namespace {

namespace asio = boost::asio;
constexpr auto use_task = asio::use_awaitable_t<Executor>{};
constexpr Duration commit_time = std::chrono::seconds(20);
constexpr const char* broken = "the disk does not work";
constexpr const char* unreachable = "the database cannot answer, try again";

}  // namespace

SimulatedStore::~SimulatedStore() {
  die(false);
}

void SimulatedStore::die(bool landed) {
  if (link_ != nullptr) {
    link_->die(landed);
    answered_.notify_all();  // who waits goes with the loop
  }
  env_.timers.cancel(std::exchange(timer_, 0));
  auto lost = std::exchange(queue_, {});
  auto last = std::exchange(flushing_, {});
  if (landed && link_ == nullptr) write(last);
}

Task<Result<Committed>> SimulatedStore::do_commit(Commit commit) {
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(Result<Committed>)>(
      [this, &commit](auto handler) {
        submit({std::move(commit), [h = std::move(handler)](Result<Committed> answer) mutable {
                  std::move(h)(std::move(answer));
                }});
      },
      use_task);
}

void SimulatedStore::submit(Job job) {
  job.deadline = env_.timers.now() + commit_time;
  queue_.push_back(std::move(job));
  if (link_ != nullptr) {
    if (!std::exchange(writing_, true)) spawn(env_.timers.executor(), "simulated writer", write_shared());
    return;
  }
  if (flushing_.empty()) flush();
}

void SimulatedStore::flush() {
  flushing_ = std::exchange(queue_, {});
  timer_ = env_.timers.call_at(env_.timers.now() + disk_.flush_time(), [this] { flushed(); });
}

void SimulatedStore::flushed() {
  auto batch = std::exchange(flushing_, {});
  auto answers = write(batch);
  answer(batch, std::move(answers));
  if (!queue_.empty()) flush();
}

void SimulatedStore::answer(std::vector<Job>& batch, Answers answers) {
  for (std::size_t i = 0; i < batch.size(); ++i)
    asio::post(env_.timers.executor(),
               [done = std::move(batch[i].done), answer = std::move(answers[i])]() mutable {
                 done(std::move(answer));
               });
}

SimulatedStore::Answers SimulatedStore::write(std::vector<Job>& batch) {
  Answers answers;
  answers.reserve(batch.size());
  commits_ += batch.size();
  ++batches_;
  if (disk_.fails()) return Answers(batch.size(), fail(Errc::internal, broken));
  for (auto& job : batch) {
    spoil(job.commit);
    answers.push_back(disk_.tables.commit(env_, job.commit));
    if (answers.back()) disk_.on_durable(job.commit, *answers.back());
  }
  return answers;
}

StoreLoad SimulatedStore::load() const {
  return {.queued_commits = queue_.size() + flushing_.size(), .commits = commits_, .batches = batches_};
}

Task<void> SimulatedStore::pause(Duration time) {
  if (time > Duration{}) co_return co_await sleep_for(env_.timers, time);
  co_await asio::post(env_.timers.executor(), use_task);
}

template <class T, class Fn>
Reply<T> SimulatedStore::read(Fn fn, Duration patience) {
  const auto deadline = env_.timers.now() + patience;
  while (link_ != nullptr) {
    if (!co_await link_->reach(deadline)) co_return fail(Errc::unavailable, unreachable);
    const auto losses = link_->losses();
    co_await pause(disk_.read_time());
    if (losses != link_->losses()) continue;
    if (disk_.fails()) co_return fail(Errc::internal, broken);
    T found = fn(std::as_const(disk_.tables));
    co_await pause(disk_.read_time());
    if (losses == link_->losses()) co_return found;
  }
  // What is read may have changed again by the time it arrives.
  co_await pause(disk_.read_time());
  if (disk_.fails()) co_return fail(Errc::internal, broken);
  T found = fn(std::as_const(disk_.tables));
  co_await pause(disk_.read_time());
  co_return found;
}

Reply<std::optional<domain::Assistant>> SimulatedStore::assistant(std::string id) {
  return read<std::optional<domain::Assistant>>(
      [id = std::move(id)](const Tables& t) { return read_assistant(t, id); });
}
Reply<Found<domain::Assistant>> SimulatedStore::assistants(AssistantFilter filter, Page page) {
  return read<Found<domain::Assistant>>(
      [filter = std::move(filter), page](const Tables& t) { return read_assistants(t, filter, page); });
}
Reply<std::vector<AssistantVersion>> SimulatedStore::assistant_versions(std::string id, std::string metadata,
                                                                        Page page) {
  return read<std::vector<AssistantVersion>>(
      [id = std::move(id), metadata = std::move(metadata), page](const Tables& t) {
        return read_assistant_versions(t, id, metadata, page);
      });
}
Reply<std::optional<AssistantVersion>> SimulatedStore::assistant_version(std::string id,
                                                                         std::int64_t number) {
  return read<std::optional<AssistantVersion>>(
      [id = std::move(id), number](const Tables& t) { return read_assistant_version(t, id, number); });
}
Reply<std::optional<ThreadRow>> SimulatedStore::thread(std::string id) {
  return read<std::optional<ThreadRow>>([id = std::move(id)](const Tables& t) { return read_thread(t, id); });
}
Reply<Found<ThreadRow>> SimulatedStore::threads(ThreadFilter filter, Page page) {
  return read<Found<ThreadRow>>(
      [filter = std::move(filter), page](const Tables& t) { return read_threads(t, filter, page); });
}
Reply<ThreadHead> SimulatedStore::thread_head(std::string id) {
  return read<ThreadHead>([id = std::move(id)](const Tables& t) { return read_thread_head(t, id); });
}
Reply<ThreadNow> SimulatedStore::thread_now(std::string id) {
  return read<ThreadNow>([id = std::move(id)](const Tables& t) { return read_thread_now(t, id); });
}
Reply<std::optional<domain::Run>> SimulatedStore::run(std::string id) {
  return read<std::optional<domain::Run>>([id = std::move(id)](const Tables& t) { return read_run(t, id); });
}
Reply<std::vector<domain::Run>> SimulatedStore::runs(RunFilter filter, Page page) {
  return read<std::vector<domain::Run>>(
      [filter = std::move(filter), page](const Tables& t) { return read_runs(t, filter, page); });
}
Reply<std::vector<domain::Run>> SimulatedStore::open_runs(std::string thread_id) {
  return read<std::vector<domain::Run>>(
      [thread_id = std::move(thread_id)](const Tables& t) { return read_open_runs(t, thread_id); });
}
Reply<Claimable> SimulatedStore::claimable_runs(std::vector<std::string> graph_ids, WallTime now,
                                                std::int64_t limit) {
  constexpr std::int64_t candidates = 4;  // looked at for each that is taken
  if (link_ == nullptr)
    co_return co_await read<Claimable>([graph_ids = std::move(graph_ids), now, limit](const Tables& t) {
      return Claimable{read_claimable_runs(t, graph_ids, now, limit), {}};
    });
  co_return co_await read<Claimable>([this, graph_ids = std::move(graph_ids), now, limit](const Tables& t) {
    Claimable out{read_claimable_runs(t, graph_ids, now, limit * candidates), {}};
    out.release = [this, number = link_->claim(out.runs, limit)]() -> Task<void> {
      co_await pause(disk_.read_time());
      link_->unlock(number);
    };
    return out;
  });
}
Reply<std::optional<WallTime>> SimulatedStore::next_due(WallTime now) {
  return read<std::optional<WallTime>>([now](const Tables& t) { return read_next_due(t, now); });
}
Reply<ActiveRuns> SimulatedStore::active_runs() {
  return read<ActiveRuns>([](const Tables& t) { return read_active_runs(t); });
}
Reply<std::vector<std::string>> SimulatedStore::runs_with_frames(WallTime ended, bool resumable,
                                                                 std::int64_t limit) {
  return read<std::vector<std::string>>([ended, resumable, limit](const Tables& t) {
    return read_runs_with_frames(t, ended, resumable, limit);
  });
}
Reply<std::vector<domain::EventRecord>> SimulatedStore::events(std::string aggregate_id) {
  return read<std::vector<domain::EventRecord>>(
      [aggregate_id = std::move(aggregate_id)](const Tables& t) { return t.events(aggregate_id); });
}
Reply<std::optional<CheckpointTuple>> SimulatedStore::checkpoint(std::string thread_id, std::string ns,
                                                                 std::string checkpoint_id) {
  return read<std::optional<CheckpointTuple>>(
      [key = CheckpointKey{std::move(thread_id), std::move(ns), std::move(checkpoint_id)}](const Tables& t) {
        return read_checkpoint(t, key);
      });
}
Reply<std::vector<CheckpointTuple>> SimulatedStore::checkpoints(CheckpointFilter filter) {
  return read<std::vector<CheckpointTuple>>(
      [filter = std::move(filter)](const Tables& t) { return read_checkpoints(t, filter); });
}
Reply<std::vector<ChannelHistory>> SimulatedStore::channel_history(std::string thread_id, std::string ns,
                                                                   std::string checkpoint_id,
                                                                   std::vector<std::string> channels) {
  return read<std::vector<ChannelHistory>>(
      [key = CheckpointKey{std::move(thread_id), std::move(ns), std::move(checkpoint_id)},
       channels = std::move(channels)](const Tables& t) { return read_channel_history(t, key, channels); });
}
Reply<std::optional<CheckpointState>> SimulatedStore::state(std::string thread_id, std::string ns,
                                                            std::string checkpoint_id) {
  return read<std::optional<CheckpointState>>(
      [key = CheckpointKey{std::move(thread_id), std::move(ns), std::move(checkpoint_id)}](const Tables& t) {
        return read_state(t, key);
      });
}
Reply<std::vector<CheckpointState>> SimulatedStore::states(CheckpointFilter filter) {
  return read<std::vector<CheckpointState>>(
      [filter = std::move(filter)](const Tables& t) { return read_states(t, filter); });
}
Reply<Queries::FramePage> SimulatedStore::frames(std::string run_id, std::int64_t from,
                                                 std::size_t max_bytes) {
  return read<FramePage>([run_id = std::move(run_id), from, max_bytes](const Tables& t) {
    return read_frames(t, run_id, from, max_bytes);
  });
}
Reply<std::int64_t> SimulatedStore::frame_count(std::string run_id) {
  return read<std::int64_t>(
      [run_id = std::move(run_id)](const Tables& t) -> std::int64_t { return std::ssize(t.frames(run_id)); });
}
Reply<std::optional<Frame>> SimulatedStore::last_frame(std::string run_id, std::string event) {
  return read<std::optional<Frame>>([run_id = std::move(run_id), event = std::move(event)](const Tables& t) {
    return read_last_frame(t, run_id, event);
  });
}
Reply<std::optional<Item>> SimulatedStore::item(std::vector<std::string> ns, std::string key) {
  return read<std::optional<Item>>([ns = namespace_key(ns), key = std::move(key)](const Tables& t) {
    const auto found = t.items.find({ns, key});
    return found == t.items.end() ? std::nullopt : std::optional(found->second);
  });
}
Reply<std::vector<Item>> SimulatedStore::items(ItemSearch search) {
  return read<std::vector<Item>>(
      [search = std::move(search)](const Tables& t) { return read_items(t, search); });
}
Reply<std::vector<std::vector<std::string>>> SimulatedStore::namespaces(NamespaceSearch search) {
  return read<std::vector<std::vector<std::string>>>(
      [search = std::move(search)](const Tables& t) { return read_namespaces(t, search); });
}
Reply<std::vector<Session>> SimulatedStore::sessions() {
  return read<std::vector<Session>>([this](const Tables& t) {
    std::vector<Session> out;
    out.reserve(t.sessions.size());
    for (const auto& [id, session] : t.sessions) out.push_back(with_life(session));
    return out;
  });
}
Reply<std::optional<Session>> SimulatedStore::session(std::string id) {
  return read<std::optional<Session>>([this, id = std::move(id)](const Tables& t) {
    const auto found = t.sessions.find(id);
    return found == t.sessions.end() ? std::nullopt : std::optional(with_life(found->second));
  });
}
Task<Status> SimulatedStore::beat(std::vector<std::string> sessions) {
  if (link_ == nullptr) co_return Status{};  // one server alone uses the tables
  const auto counted = co_await read<bool>([this, sessions = std::move(sessions)](const Tables&) {
    for (const auto& id : sessions)
      if (const auto found = disk_.tables.sessions.find(id); found != disk_.tables.sessions.end())
        ++found->second.beats;
    return true;
  });
  if (!counted) co_return fail(counted.error());
  co_return Status{};
}
Reply<std::vector<domain::Run>> SimulatedStore::stopping_runs() {
  return read<std::vector<domain::Run>>([](const Tables& t) {
    auto runs = read_runs(t, {.states = {domain::RunState::in_progress}}, {1'000'000, 0});
    std::erase_if(runs, [](const auto& run) { return run.cancel == domain::CancelAction::none; });
    return runs;
  });
}
Reply<std::vector<domain::Run>> SimulatedStore::overdue_runs(WallTime begun_before, std::int64_t limit) {
  return read<std::vector<domain::Run>>([begun_before, limit](const Tables& t) {
    auto runs = read_runs(t, {.states = {domain::RunState::in_progress}}, {1'000'000, 0});
    std::erase_if(runs, [&](const auto& run) {
      return run.cancel != domain::CancelAction::none || run.updated_at >= begun_before;
    });
    std::ranges::sort(runs, {}, [](const auto& run) { return std::pair(run.updated_at, run.id); });
    if (std::ssize(runs) > limit) runs.resize(static_cast<std::size_t>(limit));
    return runs;
  });
}
Reply<std::vector<Lease>> SimulatedStore::leases() {
  return read<std::vector<Lease>>([](const Tables& t) {
    std::vector<Lease> out;
    for (const auto& [owner, lease] : t.leases()) out.push_back(lease);
    return out;
  });
}
Reply<std::optional<Lease>> SimulatedStore::lease(std::string owner) {
  return read<std::optional<Lease>>([owner = std::move(owner)](const Tables& t) {
    const auto found = t.leases().find(owner);
    return found == t.leases().end() ? std::nullopt : std::optional(found->second);
  });
}
Reply<std::vector<GraphRow>> SimulatedStore::graphs() {
  return read<std::vector<GraphRow>>([](const Tables& t) {
    std::vector<GraphRow> out;
    out.reserve(t.graphs.size());
    for (const auto& [id, graph] : t.graphs) out.push_back(graph);
    return out;
  });
}
Reply<std::optional<ApiKey>> SimulatedStore::api_key(std::string id) {
  return read<std::optional<ApiKey>>([id = std::move(id)](const Tables& t) {
    const auto found = t.api_keys.find(id);
    return found == t.api_keys.end() ? std::nullopt : std::optional(found->second);
  });
}
Reply<std::vector<ApiKey>> SimulatedStore::api_keys() {
  return read<std::vector<ApiKey>>([](const Tables& t) {
    std::vector<ApiKey> out;
    for (const auto& [id, key] : t.api_keys) out.push_back(key);
    std::ranges::sort(out, {}, [](const ApiKey& key) { return std::pair(key.created_at, key.id); });
    return out;
  });
}
Reply<std::int64_t> SimulatedStore::ping() {
  return read<std::int64_t>([](const Tables&) -> std::int64_t { return 1; }, std::chrono::seconds(2));
}

}  // namespace dg::simulation
