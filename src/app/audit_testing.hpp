// A database that has seen everything that a server does, to be checked, damaged and rebuilt.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "app/app_testing.hpp"
#include "base/scratch_folder.hpp"
#include "store/audit/rebuild.hpp"
#include "store/audit/verify.hpp"
#include "store/sqlite/audit.hpp"
#include "store/sqlite/database.hpp"

namespace dg::app::testing {

// Where a store keeps what is checked.
class AuditedDatabase {
 public:
  virtual ~AuditedDatabase() = default;
  virtual OpenStore opener() = 0;
  virtual Result<std::unique_ptr<store::audit::Audit>> open_audit() = 0;
  virtual Result<store::audit::Rebuilding> open_rebuilding() = 0;
  // Changes it behind the store's back.
  virtual void execute(const std::string& sql) = 0;
};

class AuditedFile final : public AuditedDatabase {
 public:
  explicit AuditedFile(std::int64_t pack_after = store::SqliteOptions{}.pack_after)
      : pack_after_(pack_after) {}
  OpenStore opener() override { return on_sqlite({.path = path(), .pack_after = pack_after_}); }
  Result<std::unique_ptr<store::audit::Audit>> open_audit() override {
    return store::open_sqlite_audit(path());
  }
  Result<store::audit::Rebuilding> open_rebuilding() override {
    return store::open_sqlite_rebuilding(path());
  }
  void execute(const std::string& sql) override {
    auto db = store::sqlite::Database::open({.path = path()});
    (*db)->run_script(sql);
    const auto status = (*db)->take_status();
    ASSERT_TRUE(status) << status.error().message;
  }
  std::string path() const { return (folder_.path() / "duragraph.db").string(); }

 private:
  ScratchFolder folder_{"audit"};
  std::int64_t pack_after_;
};

class AuditedLife : public ::testing::Test {
 protected:
  using Texts = std::vector<std::string>;

  explicit AuditedLife(std::unique_ptr<AuditedDatabase> database)
      : database_(std::move(database)), server_({}, database_->opener()) {}

  // Everything that a server does, and what is left of it.
  void SetUp() override {
    play_runs();
    play_large_values();
    play_stops();
    play_threads();
    play_assistants();
  }

  void play_runs() {
    done_ = server_.create(server_.make_thread());
    worker_.say(done_, 1, saved("c1", R"({"a":1})"));
    worker_.say(done_, 2, values("1"));
    worker_.say(done_, 3, frames_of({{"values", "2"}, {"values", "3"}}));
    worker_.complete(done_, 4);
    auto stateless = TestServer::order();
    stateless.request.temporary = true;
    failed_ = server_.create(std::move(stateless));
    worker_.complete(failed_, 1, Outcome::error);
    auto asking = server_.create(server_.make_thread());
    worker_.say(asking, 1, checkpoint("c1", "{}", R"([{"id":"t"}])", R"(["n"])"));
    worker_.complete(asking, 2, Outcome::interrupted);
    auto answer = server_.create(asking.thread_id);
    worker_.complete(answer, 1);
    // Its owner is gone, and another one goes on.
    lost_ = server_.create(server_.make_thread());
    worker_.say(lost_, 1, saved("c1", "{}"));
    worker_.die();
    EXPECT_TRUE(worker_.connect());
    running_ = server_.create(server_.make_thread());
    worker_.say(running_, 1, saved("c1", "{}"));
    queued_ = server_.create(running_.thread_id);
  }

  // A conversation that grows, of which a few checkpoints and frames are left.
  void play_large_values() {
    large_ = server_.create(server_.make_thread());
    std::string text;
    for (std::int64_t n = 1; n <= 6; n += 2) {
      for (int word = 0; word < 200; ++word) text += fmt::format("word {} of {} ", word, n);
      auto said = saved(fmt::format("c{}", n), fmt::format(R"({{"messages":"{}"}})", text));
      said.checkpoint.values.front().value.data = text;
      worker_.say(large_, n, values(fmt::format(R"({{"messages":"{}"}})", text)));
      worker_.say(large_, n + 1, std::move(said));
    }
    worker_.complete(large_, 7);
  }

  void play_stops() {
    auto cancelled = server_.create(server_.make_thread());
    server_.get(server_.app().runs.cancel(the_server, cancelled.id, domain::CancelAction::interrupt));
    worker_.complete(cancelled, 1, Outcome::cancelled);
    auto rolled_back = server_.create(server_.make_thread());
    worker_.say(rolled_back, 1, saved("c1", "{}"));
    server_.get(server_.app().runs.cancel(the_server, rolled_back.id, domain::CancelAction::rollback));
    worker_.complete(rolled_back, 2, Outcome::cancelled);
    deleted_ = server_.create(server_.make_thread());
    worker_.complete(deleted_, 1);
    ASSERT_TRUE(server_.wait(server_.app().runs.remove(the_server, deleted_.id)));
  }

  void play_threads() {
    server_.get(server_.app().threads.patch(the_server, done_.thread_id, R"({"note":"x"})"));
    server_.get(server_.app().threads.copy(the_server, done_.thread_id));
    server_.get(server_.app().threads.copy(the_server, large_.thread_id));
    auto gone = server_.create(server_.make_thread());
    gone_ = gone.thread_id;
    worker_.say(gone, 1, saved("c1", "{}"));
    ASSERT_TRUE(server_.wait(server_.app().threads.remove(the_server, gone_)));
    // A deleted thread's id may be used again.
    server_.get(server_.app().threads.create(the_server, gone_, "{}", false));
    left_ = server_.make_thread();
    ASSERT_TRUE(server_.wait(server_.app().threads.remove(the_server, left_)));
    operate(failed_.thread_id);
    server_.get(server_.app().threads.begin(done_.thread_id, worker_.session()));
  }

  // What update_state does.
  void operate(const std::string& thread_id) {
    const auto lease = server_.get(server_.app().threads.begin(thread_id, worker_.session()));
    domain::Run owner;
    owner.id = lease.owner;
    owner.epoch = lease.epoch;
    worker_.say(owner, 1, saved("c9", "{}"));
    worker_.say(owner, 2, values("{}"));
    ASSERT_TRUE(server_.wait(server_.app().threads.end(lease.owner)));
  }

  void play_assistants() {
    AssistantDraft draft;
    draft.graph_id = "agent";
    const Caller ann{"ann", "editor", false};
    server_.get(server_.app().assistants.create(ann, draft));
    const auto hers = server_.get(server_.app().threads.create(ann, std::nullopt, "{}", false)).thread.id;
    server_.get(server_.app().runs.create(ann, TestServer::order(hers)));
    server_.get(server_.app().threads.copy(ann, hers));
    assistant_ = server_.get(server_.app().assistants.create(the_server, draft)).id;
    AssistantPatch patch;
    patch.name = "second";
    server_.get(server_.app().assistants.patch(the_server, assistant_, patch));
    server_.get(server_.app().assistants.choose_version(the_server, assistant_, 1));
    const auto other = server_.get(server_.app().assistants.create(the_server, draft)).id;
    ASSERT_TRUE(server_.wait(server_.app().assistants.remove(the_server, other, false)));
  }

  // A checkpoint with a value of its own.
  static CheckpointSaid saved(const std::string& id, const std::string& state) {
    auto said = checkpoint(id, state);
    said.checkpoint.channel_versions = fmt::format(R"({{"messages":"{}"}})", id);
    said.checkpoint.values = {{"messages", id, {"msgpack", "value"}}};
    return said;
  }

  // Findings as "kind id=… id=…: message".
  Texts findings() {
    const auto audit = database_->open_audit();
    if (!audit) throw std::runtime_error(audit.error().message);
    const auto verified = store::audit::verify(**audit, 1000);
    if (!verified) throw std::runtime_error(verified.error().message);
    return lines_of(verified->findings);
  }
  static Texts lines_of(const store::audit::Findings& findings) {
    Texts out;
    for (const auto& finding : findings.kept()) {
      std::string line(finding.kind);
      for (const auto& [name, id] : finding.ids) line += fmt::format(" {}={}", name, id);
      out.push_back(line + ": " + finding.message);
    }
    return out;
  }

  // The server has ended by then.
  void damage(const std::string& sql) {
    server_.kill();
    database_->execute(sql);
  }

  // Damages the database, and finds what begins so.
  void expect_found(const std::string& sql, const std::string& finding) {
    damage(sql);
    EXPECT_THAT(findings(), ::testing::Contains(::testing::StartsWith(finding))) << sql;
  }

  store::audit::Rebuilt rebuild() {
    auto rebuilding = database_->open_rebuilding();
    if (!rebuilding) throw std::runtime_error(rebuilding.error().message);
    auto done = store::audit::rebuild(*rebuilding, 1000);
    if (!done) throw std::runtime_error(done.error().message);
    return std::move(*done);
  }

  // Every row of the read tables, as text.
  Texts tables() {
    Texts out;
    const auto audit = database_->open_audit();
    for (const auto table : store::audit::read_tables) {
      const auto rows = (*audit)->rows(table);
      while (const auto* const row = rows->next()) {
        std::string line = fmt::format("{} {} {}", to_string(table), row->id, row->number);
        for (const auto& column : row->columns) line += "|" + column.value_or("null");
        out.push_back(line);
      }
    }
    return out;
  }

  std::unique_ptr<AuditedDatabase> database_;
  TestServer server_;
  TestWorker worker_{server_, {.slots = 10}};
  domain::Run done_, large_, failed_, lost_, running_, queued_, deleted_;
  std::string gone_, left_, assistant_;
};

// On SQLite.
class AuditTest : public AuditedLife {
 protected:
  explicit AuditTest(std::int64_t pack_after = store::SqliteOptions{}.pack_after)
      : AuditedLife(std::make_unique<AuditedFile>(pack_after)) {}
  std::string path() const { return dynamic_cast<const AuditedFile&>(*database_).path(); }
};

}  // namespace dg::app::testing
