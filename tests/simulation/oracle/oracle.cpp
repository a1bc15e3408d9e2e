#include "simulation/oracle/oracle.hpp"

#include "base/json.hpp"

namespace dg::simulation {
namespace {

using domain::RunState;

// Between the times of day of two instances, which both follow the database's.
constexpr auto clock_error = seconds(2);

std::string name(const std::string& id) {
  return id.size() > 12 ? "…" + id.substr(id.size() - 12) : id;
}

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

}  // namespace

Oracle::Tag Oracle::tag_of(std::string_view text) {
  const auto tag = json::View(text)["tag"];
  if (!tag.is_object()) return {};
  return {tag["epoch"].integer().value_or(0), tag["n"].integer().value_or(0),
          tag["serial"].integer().value_or(0), tag["step"].integer().value_or(-1)};
}

void Oracle::committed(const Commit& commit, const Committed& result) {
  news_.clear();
  completed_.clear();
  std::set<std::string> touched;
  for (const auto& append : commit.appends) {
    this->append(append);
    if (append.aggregate == domain::AggregateType::run) touched.insert(append.id);
  }
  std::size_t frames = 0;
  for (const auto& change : commit.changes) {
    if (const auto* some = std::get_if<AppendFrames>(&change))
      add_frames(*some, result.first_frames.at(frames++));
    if (const auto* put = std::get_if<PutRun>(&change)) touched.insert(put->run.id);
    apply(change);
  }
  check_numbers();
  move_leases(commit);
  check_rows(touched);
}

// A thread is free before somebody takes it.
void Oracle::move_leases(const Commit& commit) {
  const auto before = leases_;
  for (const auto& change : commit.changes) {
    if (const auto* drop = std::get_if<DropLease>(&change)) leases_.erase(drop->owner);
    const auto* put = std::get_if<PutLease>(&change);
    if (put == nullptr) continue;
    for (const auto& [owner, lease] : before)
      if (lease.thread_id == put->lease.thread_id && owner != put->lease.owner)
        stage_.fail("G3", fmt::format("{} takes the thread {} from {}", name(put->lease.owner),
                                      name(lease.thread_id), name(owner)));
    leases_[put->lease.owner] = put->lease;
  }
}

void Oracle::append(const Append& append) {
  const auto& log = tables_.events(append.id);
  auto& version = versions_[append.id];
  for (auto i = static_cast<std::size_t>(version); i < log.size(); ++i) {
    const auto& stored = log[i];
    if (stored.version != version + 1)
      stage_.fail("G4", fmt::format("the events of {} jump from version {} to {}", name(append.id), version,
                                    stored.version));
    version = stored.version;
    if (append.aggregate != domain::AggregateType::run) continue;
    const auto read = domain::run_event_from(stored.type, stored.payload);
    if (!read) return stage_.fail("G4", "an event cannot be read: " + read.error().message);
    auto& run = runs_[append.id];
    if (!run.created) run.now.id = append.id;
    event(run, *read, stored.at);
  }
}

void Oracle::event(Run& run, const domain::RunEvent& event, WallTime at) {
  const auto& now = run.now;
  const auto wrong = [&](const char* guarantee, const std::string& why) {
    stage_.fail(guarantee, fmt::format("{} of the run {}: {} (it is {}, epoch {})", domain::type_of(event),
                                       name(now.id), why, domain::to_string(now.state), now.epoch));
  };
  const bool over = domain::is_terminal(now.state);
  if (run.created && over && !std::holds_alternative<domain::RunDeleted>(event)) wrong("G4", "it is over");
  if (run.erased) wrong("G4", "it was deleted");
  const bool running = now.state == RunState::in_progress;
  std::visit(Overloaded{[&](const domain::RunCreated& e) {
                          if (run.created) wrong("G4", "it exists");
                          run.created = true;
                          const auto tag = json::View(e.metadata)["tag"].string();
                          if (!tag.empty() && !tags_.emplace(tag, now.id).second)
                            wrong("G1", "its request made another run before, " + name(tags_[tag]));
                        },
                        [&](const domain::RunStarted& e) {
                          started(run, e);
                          run.started_at = at;
                        },
                        [&](const domain::RunCancelRequested& e) {
                          if (e.action == domain::CancelAction::time_out &&
                              at - run.started_at < time_of_runs - clock_error)
                            wrong("G7", "its time is not over");
                        },
                        [&](const domain::LeaseExpired& e) {
                          if (!running) wrong("G4", "nobody owns it");
                          if (e.epoch != now.epoch + 1) wrong("G3", "its epoch does not grow");
                          if (now.cancel != domain::CancelAction::none)
                            wrong("G6", "its cancel is forgotten");
                        },
                        [&](const domain::CheckpointSaved&) {
                          if (!running) wrong("G3", "nobody owns it");
                        },
                        [&](const domain::RunRequiresAction&) { ended(run, event); },
                        [&](const domain::RunFailed& e) {
                          if (e.error.error != "WorkerLost") ended(run, event);
                        },
                        [&](const domain::RunCompleted& e) {
                          if (e.resumed_by.empty()) ended(run, event);
                        },
                        [](const auto&) {}},
             event);
  run.now = domain::evolve(std::move(run.now), event, at);
  auto& open = open_[run.now.thread_id];
  if (domain::is_active(run.now.state) && !std::holds_alternative<domain::RunDeleted>(event)) {
    open.insert(run.now.id);
  } else {
    open.erase(run.now.id);
  }
}

void Oracle::started(const Run& run, const domain::RunStarted& event) {
  const auto& now = run.now;
  const auto wrong = [&](const char* guarantee, const std::string& why) {
    stage_.fail(guarantee,
                fmt::format("the run {} is started (epoch {}): {}", name(now.id), event.epoch, why));
  };
  if (now.state != RunState::queued) wrong("G3", "it is " + std::string(domain::to_string(now.state)));
  if (event.epoch <= now.epoch) wrong("G3", "its epoch does not grow");
  if (now.cancel != domain::CancelAction::none) wrong("G6", "it was cancelled");
  for (const auto& other : open_[now.thread_id])
    if (other != now.id && runs_[other].now.state == RunState::in_progress)
      wrong("G3", "the run " + name(other) + " executes on its thread");
}

// An owner's word ends the run: it must have said so, and everything before it must be durable.
void Oracle::ended(const Run& run, const domain::RunEvent& event) {
  if (run.now.state != RunState::in_progress)
    stage_.fail("G3", fmt::format("{} of the run {}, which is {}", domain::type_of(event), name(run.now.id),
                                  domain::to_string(run.now.state)));
  completed_.emplace_back(run.now.id, run.now.epoch);
}

void Oracle::apply(const Change& change) {
  std::visit(Overloaded{[&](const PutCheckpoint& put) {
                          const auto& c = put.checkpoint;
                          const auto tag = tag_of(c.metadata);
                          const auto owner = json::View(c.metadata)["owner"].string();
                          if (tag.n == 0) return;
                          applied(owner, tag);
                          if (!c.run_id.empty()) step(c.run_id, c.key.thread_id, tag);
                        },
                        [&](const PutWrites& put) {
                          const auto& w = put.writes;
                          const auto tag = tag_of(w.writes.front().value.data);
                          const auto owner = w.task_id.substr(0, w.task_id.find(':'));
                          applied(owner, tag);
                          auto& run = runs_[owner];
                          if (w.writes.front().idx >= 0 && !run.written_tasks.insert(w.task_id).second)
                            stage_.fail("G2", fmt::format("the writes of {} are committed twice", w.task_id));
                        },
                        [&](const PutItem& put) {
                          if (const auto tag = tag_of(put.value); tag.n != 0) applied(put.ns.back(), tag);
                        },
                        [&](const EraseRun& erase) { erase_run(erase.id); },
                        [&](const EraseThread& erase) {
                          for (auto& [id, run] : runs_)
                            if (run.now.thread_id == erase.id) erase_run(id);
                          std::erase_if(leases_, [&](const auto& lease) {
                            return !tables_.leases().contains(lease.first);
                          });
                        },
                        [&](const EraseFrames& erase) {
                          for (const auto& id : erase.run_ids) runs_[id].frames_erased = true;
                        },
                        [](const auto&) {}},
             change);
}

void Oracle::erase_run(const std::string& id) {
  auto& run = runs_[id];
  if (domain::is_active(run.now.state)) open_[run.now.thread_id].erase(id);
  run.erased = true;
  leases_.erase(id);
}

void Oracle::applied(const std::string& owner, const Tag& tag) {
  const auto lease = leases_.find(owner);
  if (lease == leases_.end() || lease->second.epoch != tag.epoch)
    stage_.fail(
        "G3", fmt::format("message {} of {} with epoch {} is applied, but {}", tag.n, name(owner), tag.epoch,
                          lease == leases_.end() ? "nobody owns it"
                                                 : "its epoch is " + std::to_string(lease->second.epoch)));
  news_[{owner, tag.epoch}][tag.n] = tag.serial;
}

// The numbers that one commit applied go on where those before it ended.
void Oracle::check_numbers() {
  for (const auto& [key, numbers] : news_) {
    auto& owner = owners_[key];
    for (const auto& [n, serial] : numbers) {
      const auto due = owner.applied.empty() ? 1 : owner.applied.rbegin()->first + 1;
      if (n != due)
        stage_.fail("G2", fmt::format("message {} of {} (epoch {}) is applied where {} is due", n,
                                      name(key.first), key.second, due));
      owner.applied[n] = serial;
    }
  }
  for (const auto& key : completed_) {
    const auto& owner = owners_[key];
    const auto last = owner.applied.empty() ? 0 : owner.applied.rbegin()->first;
    if (owner.complete_n == 0 || owner.complete_n != last + 1)
      stage_.fail("G2",
                  fmt::format("the run {} (epoch {}) ends after its message {}; its worker ended it with {}",
                              name(key.first), key.second, last, owner.complete_n));
  }
}

void Oracle::step(const std::string& run_id, const std::string& thread_id, const Tag& tag) {
  auto& run = runs_[run_id];
  if (run.now.thread_id != thread_id)
    stage_.fail("G3", fmt::format("the run {} writes on the thread {}", name(run_id), name(thread_id)));
  const bool due = run.last_step ? tag.step == *run.last_step + 1 : tag.step <= 1;
  if (!due)
    stage_.fail("G2", fmt::format("step {} of the run {} is committed after step {}", tag.step, name(run_id),
                                  run.last_step.value_or(-1)));
  run.last_step = tag.step;
}

void Oracle::add_frames(const AppendFrames& change, std::int64_t first) {
  auto& run = runs_[change.run_id];
  if (first != std::ssize(run.frames) && !run.frames_erased)
    stage_.fail("G5", fmt::format("frame {} of the run {} follows {} frames", first, name(change.run_id),
                                  run.frames.size()));
  for (const auto& frame : change.frames) {
    run.frames.push_back(frame);
    if (const auto tag = tag_of(frame.data); tag.n != 0) applied(change.run_id, tag);
  }
}

void Oracle::check_rows(const std::set<std::string>& touched) {
  for (const auto& id : touched) {
    const auto& run = runs_[id];
    const auto* row = tables_.run(id);
    if (run.erased != (row == nullptr))
      return stage_.fail(
          "G4", fmt::format("the run {} is {} and its row is {}", name(id), run.erased ? "deleted" : "there",
                            row == nullptr ? "not there" : "there"));
    const auto lease = tables_.leases().find(id);
    const bool owned = lease != tables_.leases().end();
    const bool running = !run.erased && run.now.state == RunState::in_progress;
    if (running != owned || (owned && lease->second.epoch != run.now.epoch))
      return stage_.fail(running ? "G3" : "G6", fmt::format("the run {} is {} with epoch {} and {}", name(id),
                                                            domain::to_string(run.now.state), run.now.epoch,
                                                            owned ? "has a lease" : "has no lease"));
    if (run.erased) continue;
    if (row->state != run.now.state || row->epoch != run.now.epoch || row->attempt != run.now.attempt ||
        row->cancel != run.now.cancel || row->session_id != run.now.session_id)
      return stage_.fail("G4", fmt::format("the run {} is {} by its events and {} by its row", name(id),
                                           domain::to_string(run.now.state), domain::to_string(row->state)));
    const auto* thread = tables_.thread(run.now.thread_id);
    if (thread->row && !open_[run.now.thread_id].empty() && thread->status != domain::ThreadStatus::busy)
      return stage_.fail("G4", fmt::format("the thread of the run {} has active runs and is {}", name(id),
                                           domain::to_string(thread->status)));
  }
}

}  // namespace dg::simulation
