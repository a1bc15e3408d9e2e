// What every adapter of the store's port must do, as tests over a factory. An adapter's own test
// includes contract/suite.hpp and instantiates StoreContract with how to make it.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.hpp"
#include "base/json.hpp"
#include "base/system_world.hpp"
#include "store/contract/conversation.hpp"
#include "store/store.hpp"

namespace dg::store::contract {

// One empty database. The store over it may be closed and opened again.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual Result<std::unique_ptr<Store>> open(Env env) = 0;
  // Whether what was committed is there after closing and opening.
  virtual bool outlives_store() const { return true; }
};

struct Adapter {
  std::string name;
  std::function<std::unique_ptr<Backend>()> make;
};

class StoreContract : public testing::TestWithParam<Adapter> {
 protected:
  void SetUp() override {
    backend_ = GetParam().make();
    open();
  }

  void open() {
    store_.reset();
    auto opened = backend_->open(env_);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }

  Store& store() { return *store_; }

  // Runs the loop until the task has ended.
  template <class T>
  T wait(Task<T> task) {
    std::optional<T> result;
    start(std::move(task), result);
    run_loop();
    if (!result) throw std::runtime_error("the store did not answer");
    return std::move(*result);
  }

  // What a read gives, which must not fail.
  template <class T>
  T get(Reply<T> reply) {
    auto result = wait(std::move(reply));
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
  }

  // Commits all at once, as so many coroutines would.
  std::vector<Result<Committed>> commit_together(std::vector<Commit> commits) {
    std::vector<std::optional<Result<Committed>>> results(commits.size());
    for (std::size_t i = 0; i < commits.size(); ++i) start(store().commit(std::move(commits[i])), results[i]);
    run_loop();
    std::vector<Result<Committed>> out;
    out.reserve(results.size());
    for (auto& result : results) out.push_back(std::move(result.value()));
    return out;
  }

  Result<Committed> commit(Commit commit) { return wait(store().commit(std::move(commit))); }

  // Commits changes that nothing can refuse.
  template <class... Changes>
  Committed apply(Changes... changes) {
    Commit commit;
    (commit.changes.emplace_back(std::move(changes)), ...);
    auto result = this->commit(std::move(commit));
    EXPECT_TRUE(result) << result.error().message;
    return result.value_or(Committed{});
  }

  // The code of the refusal of a commit, or nothing where it was accepted.
  static std::optional<Errc> refusal(const Result<Committed>& result) {
    return result ? std::nullopt : std::optional(result.error().code);
  }

  std::string new_id() { return make_uuid7(env_); }

  std::string add_thread(std::string metadata = "{}") {
    const auto id = new_id();
    Commit commit;
    commit.appends.push_back({domain::AggregateType::thread, id, 0, id, {{"ThreadCreated", "{}"}}});
    commit.changes.emplace_back(
        PutThread{{id, std::move(metadata), "{}", env_.clock.now(), env_.clock.now(), 0}});
    EXPECT_TRUE(this->commit(std::move(commit)));
    return id;
  }

  domain::Run make_run(const std::string& thread_id, domain::RunState state = domain::RunState::queued) {
    domain::Run run;
    run.id = new_id();
    run.thread_id = thread_id;
    run.assistant_id = "assistant";
    run.graph_id = "graph";
    run.state = state;
    run.created_at = run.updated_at = env_.clock.now();
    return run;
  }

  domain::Run add_run(const std::string& thread_id, domain::RunState state = domain::RunState::queued) {
    auto run = make_run(thread_id, state);
    apply(PutRun{run});
    return run;
  }

  static Append run_event(const std::string& run_id, std::optional<std::int64_t> expected,
                          std::string thread_id, std::string type = "RunCreated") {
    return {domain::AggregateType::run, run_id, expected, std::move(thread_id), {{std::move(type), "{}"}}};
  }

  // A run that is over: with events, a request, two checkpoints of the conversation, writes and a frame.
  domain::Run add_finished_run(Conversation& conversation, const std::string& thread) {
    auto run = make_run(thread, domain::RunState::in_progress);
    run.request.input = R"({"text":"input of )" + run.id + R"("})";
    Commit begin;
    begin.appends.push_back(run_event(run.id, 0, thread));
    begin.changes.emplace_back(PutRun{run});
    begin.changes.emplace_back(AppendFrames{run.id, thread, make_frames(0, 1)});
    EXPECT_TRUE(commit(std::move(begin)));
    run.state = domain::RunState::completed;
    Commit end;
    end.appends.push_back(run_event(run.id, 1, thread, "RunCompleted"));
    for (int i = 0; i < 2; ++i) {
      auto checkpoint = conversation.next(run.id);
      auto writes = make_writes(thread, checkpoint.key.checkpoint_id, "task", {{0, "messages", {"t", "w"}}});
      writes.task_patch = R"({"result":1})";
      end.changes.emplace_back(PutCheckpoint{std::move(checkpoint)});
      end.changes.emplace_back(PutWrites{std::move(writes)});
    }
    end.changes.emplace_back(PutRun{run});
    EXPECT_TRUE(commit(std::move(end)));
    return run;
  }

  std::vector<domain::Run> add_finished_runs(Conversation& conversation, const std::string& thread,
                                             int count) {
    std::vector<domain::Run> runs;
    runs.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) runs.push_back(add_finished_run(conversation, thread));
    return runs;
  }

  // A checkpoint with one channel, `messages`, whose value is stored where `value` is not empty.
  static NewCheckpoint make_checkpoint(const std::string& thread_id, const std::string& id,
                                       const std::string& parent = "", const std::string& value = "") {
    NewCheckpoint c;
    c.key = {thread_id, "", id};
    c.parent_id = parent;
    c.checkpoint = {"msgpack", "checkpoint " + id};
    c.channel_versions = R"({"messages":"v)" + id + R"("})";
    if (!value.empty()) c.values.push_back({"messages", "v" + id, {"msgpack", value}});
    c.projection = R"({"values":{"n":")" + id + R"("},"next":[],"tasks":[]})";
    return c;
  }

  static NewWrites make_writes(const std::string& thread_id, const std::string& checkpoint_id,
                               const std::string& task_id, std::vector<Write> writes) {
    return {{thread_id, "", checkpoint_id}, task_id, "", std::move(writes), "null"};
  }

  static std::vector<Frame> make_frames(int first, int count) {
    std::vector<Frame> frames;
    for (int i = first; i < first + count; ++i) frames.push_back({"values", std::to_string(i)});
    return frames;
  }

  // The thread has the conversation's checkpoints and no others, each with its values and its projection.
  void expect_holds(const std::string& thread, const Conversation& conversation) {
    EXPECT_EQ(get(store().checkpoints({.thread_id = thread})).size(), conversation.expected().size());
    for (const auto& [id, expected] : conversation.expected()) {
      const auto tuple = get(store().checkpoint(thread, "", id)).value();
      ASSERT_EQ(tuple.values.size(), 1U) << id;
      EXPECT_EQ(tuple.values[0].value.data, expected.first) << id;
      EXPECT_EQ(get(store().state(thread, "", id)).value().projection, expected.second) << id;
    }
  }

  domain::ThreadStatus status_of(const std::string& thread_id) {
    return get(store().thread(thread_id)).value().status;
  }

  SystemWorld world_;
  boost::asio::io_context& io_ = world_.io;
  const Env& env_ = world_.env;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Store> store_;

 private:
  template <class T>
  void start(Task<T> task, std::optional<T>& result) {
    boost::asio::co_spawn(io_.get_executor(), std::move(task),
                          [&result](const std::exception_ptr& error, T value) {
                            if (error) std::rethrow_exception(error);
                            result = std::move(value);
                          });
  }

  void run_loop() {
    io_.restart();
    io_.run_for(std::chrono::seconds(60));
  }
};

}  // namespace dg::store::contract
