// A store on an event loop of its own, for tests under virtual time: whoever calls it waits until it has
// answered, while the test's own time stands still.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "store/postgres/testing/loop.hpp"
#include "store/store.hpp"

namespace dg::app::testing {

class WaitingStore : public store::Store {
 public:
  // `open` makes the store over the ports of the inner loop and the clock of the outer one.
  template <class Open>
  WaitingStore(const Env& outer, const Open& open) {
    inner_ = open(Env{outer.clock, *loop_.random, *loop_.timers});
  }
  ~WaitingStore() override { WaitingStore::close(); }
  WaitingStore(const WaitingStore&) = delete;
  WaitingStore& operator=(const WaitingStore&) = delete;

  Task<Result<store::Committed>> do_commit(store::Commit commit) override {
    co_return loop_.wait(inner_->commit(std::move(commit)));
  }
  store::StoreLoad load() const override { return inner_->load(); }
  void close() override {
    if (!inner_) return;
    loop_.io.restart();
    inner_->close();
    inner_.reset();
  }

  store::Reply<std::optional<domain::Assistant>> assistant(std::string id) override {
    co_return loop_.wait(inner_->assistant(std::move(id)));
  }
  store::Reply<store::Found<domain::Assistant>> assistants(store::AssistantFilter filter,
                                                           store::Page page) override {
    co_return loop_.wait(inner_->assistants(std::move(filter), page));
  }
  store::Reply<std::vector<store::AssistantVersion>> assistant_versions(std::string id, std::string metadata,
                                                                        store::Page page) override {
    co_return loop_.wait(inner_->assistant_versions(std::move(id), std::move(metadata), page));
  }
  store::Reply<std::optional<store::AssistantVersion>> assistant_version(std::string id,
                                                                         std::int64_t number) override {
    co_return loop_.wait(inner_->assistant_version(std::move(id), number));
  }
  store::Reply<std::optional<store::ThreadRow>> thread(std::string id) override {
    co_return loop_.wait(inner_->thread(std::move(id)));
  }
  store::Reply<store::Found<store::ThreadRow>> threads(store::ThreadFilter filter,
                                                       store::Page page) override {
    co_return loop_.wait(inner_->threads(std::move(filter), page));
  }
  store::Reply<store::ThreadHead> thread_head(std::string id) override {
    co_return loop_.wait(inner_->thread_head(std::move(id)));
  }
  store::Reply<store::ThreadNow> thread_now(std::string id) override {
    co_return loop_.wait(inner_->thread_now(std::move(id)));
  }
  store::Reply<std::optional<domain::Run>> run(std::string id) override {
    co_return loop_.wait(inner_->run(std::move(id)));
  }
  store::Reply<std::vector<domain::Run>> runs(store::RunFilter filter, store::Page page) override {
    co_return loop_.wait(inner_->runs(std::move(filter), page));
  }
  store::Reply<std::vector<domain::Run>> open_runs(std::string thread_id) override {
    co_return loop_.wait(inner_->open_runs(std::move(thread_id)));
  }
  store::Reply<std::vector<domain::Run>> stopping_runs() override {
    co_return loop_.wait(inner_->stopping_runs());
  }
  store::Reply<std::vector<domain::Run>> overdue_runs(WallTime begun_before, std::int64_t limit) override {
    co_return loop_.wait(inner_->overdue_runs(begun_before, limit));
  }
  store::Reply<std::optional<store::Session>> session(std::string id) override {
    co_return loop_.wait(inner_->session(std::move(id)));
  }
  store::Reply<store::Claimable> claimable_runs(std::vector<std::string> graph_ids, WallTime now,
                                                std::int64_t limit) override {
    auto claimable = loop_.wait(inner_->claimable_runs(std::move(graph_ids), now, limit));
    if (claimable && claimable->release)
      claimable->release = [this, release = std::move(claimable->release)] { return wait_for(release); };
    co_return claimable;
  }
  store::Reply<std::optional<WallTime>> next_due(WallTime now) override {
    co_return loop_.wait(inner_->next_due(now));
  }
  store::Reply<store::ActiveRuns> active_runs() override { co_return loop_.wait(inner_->active_runs()); }
  store::Reply<std::vector<std::string>> runs_with_frames(WallTime ended, bool resumable,
                                                          std::int64_t limit) override {
    co_return loop_.wait(inner_->runs_with_frames(ended, resumable, limit));
  }
  store::Reply<std::vector<domain::EventRecord>> events(std::string aggregate_id) override {
    co_return loop_.wait(inner_->events(std::move(aggregate_id)));
  }
  store::Reply<std::optional<store::CheckpointTuple>> checkpoint(std::string thread_id, std::string ns,
                                                                 std::string checkpoint_id) override {
    co_return loop_.wait(inner_->checkpoint(std::move(thread_id), std::move(ns), std::move(checkpoint_id)));
  }
  store::Reply<std::vector<store::CheckpointTuple>> checkpoints(store::CheckpointFilter filter) override {
    co_return loop_.wait(inner_->checkpoints(std::move(filter)));
  }
  store::Reply<std::vector<store::ChannelHistory>> channel_history(
      std::string thread_id, std::string ns, std::string checkpoint_id,
      std::vector<std::string> channels) override {
    co_return loop_.wait(inner_->channel_history(std::move(thread_id), std::move(ns),
                                                 std::move(checkpoint_id), std::move(channels)));
  }
  store::Reply<std::optional<store::CheckpointState>> state(std::string thread_id, std::string ns,
                                                            std::string checkpoint_id) override {
    co_return loop_.wait(inner_->state(std::move(thread_id), std::move(ns), std::move(checkpoint_id)));
  }
  store::Reply<std::vector<store::CheckpointState>> states(store::CheckpointFilter filter) override {
    co_return loop_.wait(inner_->states(std::move(filter)));
  }
  store::Reply<FramePage> frames(std::string run_id, std::int64_t from, std::size_t max_bytes) override {
    co_return loop_.wait(inner_->frames(std::move(run_id), from, max_bytes));
  }
  store::Reply<std::int64_t> frame_count(std::string run_id) override {
    co_return loop_.wait(inner_->frame_count(std::move(run_id)));
  }
  store::Reply<std::optional<store::Frame>> last_frame(std::string run_id, std::string event) override {
    co_return loop_.wait(inner_->last_frame(std::move(run_id), std::move(event)));
  }
  store::Reply<std::optional<store::Item>> item(std::vector<std::string> ns, std::string key) override {
    co_return loop_.wait(inner_->item(std::move(ns), std::move(key)));
  }
  store::Reply<std::vector<store::Item>> items(store::ItemSearch search) override {
    co_return loop_.wait(inner_->items(std::move(search)));
  }
  store::Reply<std::vector<std::vector<std::string>>> namespaces(store::NamespaceSearch search) override {
    co_return loop_.wait(inner_->namespaces(std::move(search)));
  }
  store::Reply<std::vector<store::Session>> sessions() override { co_return loop_.wait(inner_->sessions()); }
  Task<Status> beat(std::vector<std::string> sessions) override {
    co_return loop_.wait(inner_->beat(std::move(sessions)));
  }
  store::Reply<std::vector<store::Lease>> leases() override { co_return loop_.wait(inner_->leases()); }
  store::Reply<std::optional<store::Lease>> lease(std::string owner) override {
    co_return loop_.wait(inner_->lease(std::move(owner)));
  }
  store::Reply<std::vector<store::GraphRow>> graphs() override { co_return loop_.wait(inner_->graphs()); }
  store::Reply<std::optional<store::ApiKey>> api_key(std::string id) override {
    co_return loop_.wait(inner_->api_key(std::move(id)));
  }
  store::Reply<std::vector<store::ApiKey>> api_keys() override { co_return loop_.wait(inner_->api_keys()); }
  store::Reply<std::int64_t> ping() override { co_return loop_.wait(inner_->ping()); }

 private:
  static Task<bool> done(const std::function<Task<void>()>& work) {
    co_await work();
    co_return true;
  }
  Task<void> wait_for(const std::function<Task<void>()>& work) {
    loop_.wait(done(work));
    co_return;
  }

  store::postgres::testing::Loop loop_;
  std::unique_ptr<store::Store> inner_;
};

}  // namespace dg::app::testing
