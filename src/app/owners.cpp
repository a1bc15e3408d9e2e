#include "app/owners.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "app/changes.hpp"
#include "app/items.hpp"
#include "base/log.hpp"

namespace dg::app {
namespace {

constexpr std::size_t commit_messages_max = 512;
constexpr std::size_t commit_bytes_max = 8u << 20;
constexpr std::size_t end_bytes_max = 256u << 10;

domain::RunEvent checkpoint_saved(const store::CheckpointKey& key, const std::string& revision) {
  return domain::CheckpointSaved{key.checkpoint_id, key.ns, revision};
}

domain::ThreadEvent state_updated(const store::CheckpointKey& key) {
  return domain::ThreadStateUpdated{key.checkpoint_id, key.ns};
}

}  // namespace

Owners::Owners(Context& context, Workers& workers, Runs& runs, Streams& streams)
    : context_(context), workers_(workers), runs_(runs), streams_(streams) {}

void Owners::receive(OwnerMessage message, std::shared_ptr<WorkerLink> link) {
  const Key key{message.owner, message.epoch};
  auto& inbox = inboxes_[key];
  if (!inbox) inbox = std::make_shared<Inbox>(context_.env.timers);
  inbox->link = std::move(link);
  inbox->link_gone = false;
  inbox->waiting.push_back(std::move(message));
  if (inbox->draining) return;
  inbox->draining = true;
  spawn(context_.env.timers.executor(), "owner", drain(key, inbox));
}

void Owners::disconnected(const WorkerLink* link) {
  std::erase_if(inboxes_, [&](const auto& entry) {
    Inbox& inbox = *entry.second;
    if (inbox.link.get() != link) return false;
    inbox.link_gone = true;
    return !inbox.draining;
  });
}

Task<Status> Owners::look_up(const Key& key, Inbox& inbox) {
  const auto lease = co_await context_.store.lease(key.first);
  if (!lease) co_return fail(lease.error());
  if (!*lease || (*lease)->epoch != key.second)
    co_return fail(Errc::superseded, "the run has another owner or is over");
  inbox.thread_id = (*lease)->thread_id;
  inbox.applied_n = (*lease)->applied_n;
  inbox.is_run = (*lease)->kind == store::LeaseKind::run;
  if (const auto session = workers_.session((*lease)->session_id)) inbox.revision = session->revision;
  if (inbox.is_run) {
    inbox.known = true;
    co_return Status{};
  }
  // Code outside of runs may keep checkpoints under ids that are no threads.
  const auto thread = co_await context_.store.thread(inbox.thread_id);
  if (!thread) co_return fail(thread.error());
  inbox.has_thread = thread->has_value();
  co_return Status{};
}

Task<void> Owners::drain(Key key, std::shared_ptr<Inbox> inbox) {
  bool looked = !inbox->known;
  Status status = inbox->known ? Status{} : co_await look_up(key, *inbox);
  while (status && !inbox->waiting.empty()) {
    auto messages = take_due(key, *inbox);
    if (messages.empty() && inbox->waiting.empty()) break;
    // What is missing may have been applied by another instance, where the worker was meanwhile.
    if (messages.empty() && !std::exchange(looked, true)) {
      status = co_await look_up(key, *inbox);
      continue;
    }
    if (messages.empty()) {
      status = fail(Errc::invalid_argument, "the numbers of a run's messages have a gap");
      break;
    }
    status = co_await apply(key, *inbox, std::move(messages));
    if (status) inbox->link->send(Ack{key.first, key.second, inbox->applied_n});
    inbox->applied.notify_all();
  }
  if (!status) say_why(key, *inbox, status.error());
  inbox->draining = false;
  inbox->applied.notify_all();
  if (!status || !inbox->known || inbox->link_gone) inboxes_.erase(key);
}

std::vector<OwnerMessage> Owners::take_due(const Key& key, Inbox& inbox) {
  std::vector<OwnerMessage> due;
  std::size_t bytes = 0;
  std::int64_t next_n = inbox.applied_n + 1;
  while (!inbox.waiting.empty() && due.size() < commit_messages_max && bytes < commit_bytes_max) {
    auto& next = inbox.waiting.front();
    if (next.n <= inbox.applied_n) {  // sent again after a lost connection
      if (next.reply_id != 0) inbox.link->send(Replied{next.reply_id});
      inbox.waiting.pop_front();
      inbox.link->send(Ack{key.first, key.second, inbox.applied_n});
      continue;
    }
    if (next.n != next_n) break;  // after this batch it is a repeat, or there is a gap
    ++next_n;
    bytes += next.bytes;
    due.push_back(std::move(next));
    inbox.waiting.pop_front();
  }
  return due;
}

void Owners::say_why(const Key& key, Inbox& inbox, const Error& error) {
  inbox.waiting.clear();
  if (error.code == Errc::superseded) {
    inbox.link->send(Superseded{key.first, key.second, error.message});
  } else if (error.code == Errc::invalid_argument) {
    inbox.link->close(4400, error.message);
  } else if (error.code == Errc::conflict) {
    // What was sent over the last connection, to another instance, was applied after this one had looked.
    inbox.link->close(1001, "some of this was applied meanwhile");
  } else {
    // The database failed. The worker keeps what was not acknowledged and sends it again.
    log::error({{"run_id", inbox.is_run ? key.first : ""}}, "messages of {} could not be applied: {}",
               key.first, error.message);
    inbox.link->close(1001, "the database is failing");
  }
}

struct Owners::Batch {
  std::int64_t last_n = 0;
  std::size_t bytes = 0;
  std::vector<store::CheckpointKey> checkpoints;  // that it saves
  std::vector<store::Change> changes;
  std::vector<store::Frame> frames;

  void take(OwnerMessage message, const Key& key, const Inbox& inbox) {
    last_n = message.n;
    bytes += message.bytes;
    if (auto* some = std::get_if<FramesSaid>(&message.body)) {
      // An operation has no stream.
      if (inbox.is_run) std::ranges::move(some->frames, std::back_inserter(frames));
    } else if (auto* saved = std::get_if<CheckpointSaid>(&message.body)) {
      saved->checkpoint.key.thread_id = inbox.thread_id;
      if (inbox.is_run) saved->checkpoint.run_id = key.first;
      checkpoints.push_back(saved->checkpoint.key);
      changes.emplace_back(store::PutCheckpoint{std::move(saved->checkpoint)});
    } else if (auto* pending = std::get_if<WritesSaid>(&message.body)) {
      pending->writes.key.thread_id = inbox.thread_id;
      if (inbox.is_run) pending->writes.run_id = key.first;
      changes.emplace_back(store::PutWrites{std::move(pending->writes)});
    } else if (auto* items = std::get_if<ItemsSaid>(&message.body)) {
      for (auto& put : items->puts)
        changes.push_back(item_change(std::move(put.ns), std::move(put.key), std::move(put.value)));
    }
  }
};

Task<Status> Owners::apply(const Key& key, Inbox& inbox, std::vector<OwnerMessage> messages) {
  Batch batch;
  std::vector<std::int64_t> replies;
  std::optional<CompleteSaid> complete;
  for (auto& message : messages) {
    if (auto* said = std::get_if<CompleteSaid>(&message.body)) {
      complete = std::move(*said);
      break;  // nothing may follow the end
    }
    if (message.reply_id != 0) replies.push_back(message.reply_id);
    batch.take(std::move(message), key, inbox);
  }
  if (complete && !inbox.is_run) co_return fail(Errc::invalid_argument, "an operation has no completion");
  const auto end_n = std::max(batch.last_n, inbox.applied_n) + 1;  // the completion's, if there is one
  // What came with the end shares its commit, unless it is much: the end may be decided several times.
  const bool together = complete && complete->outcome != Outcome::cancelled && batch.bytes <= end_bytes_max;
  RunProgress progress;
  if (together) {
    for (const auto& place : batch.checkpoints)
      progress.events.push_back(checkpoint_saved(place, inbox.revision));
    progress.changes = std::move(batch.changes);
    progress.frames = std::move(batch.frames);
  } else if (batch.last_n > inbox.applied_n) {
    if (auto done = co_await commit(key, inbox, std::move(batch)); !done) co_return done;
  }
  if (complete) {
    progress.first_n = inbox.applied_n + 1;
    progress.last_n = end_n;
    auto done = co_await runs_.complete(key.first, key.second, std::move(progress), std::move(*complete));
    if (!done) co_return done;
    inbox.applied_n = end_n;
    inbox.known = false;
  }
  for (const auto id : replies) inbox.link->send(Replied{id});
  co_return Status{};
}

Task<Status> Owners::commit(const Key& key, Inbox& inbox, Batch batch) {
  store::Commit commit;
  commit.conditions.emplace_back(store::Fence{key.first, key.second, inbox.applied_n + 1, batch.last_n});
  commit.changes = std::move(batch.changes);
  store::Append facts{domain::AggregateType::run, key.first, std::nullopt, inbox.thread_id, {}};
  if (!inbox.is_run)
    facts = {domain::AggregateType::thread, inbox.thread_id, std::nullopt, inbox.thread_id, {}};
  if (inbox.is_run || inbox.has_thread)
    for (const auto& place : batch.checkpoints)
      facts.events.push_back(inbox.is_run ? new_event(checkpoint_saved(place, inbox.revision))
                                          : new_event(state_updated(place)));
  if (!facts.events.empty()) commit.appends.push_back(std::move(facts));
  if (inbox.is_run && !batch.checkpoints.empty())
    commit.changes.emplace_back(store::MarkRunCheckpoint{key.first});
  if (!batch.frames.empty())
    commit.changes.emplace_back(store::AppendFrames{key.first, inbox.thread_id, batch.frames});
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  inbox.applied_n = batch.last_n;
  if (!batch.frames.empty()) streams_.publish(key.first, done->first_frames.front(), batch.frames);
  co_return Status{};
}

Task<Status> Owners::settled(std::string owner, std::int64_t epoch, std::int64_t n, SteadyTime deadline) {
  const Key key{owner, epoch};
  while (true) {
    const auto found = inboxes_.find(key);
    if (found == inboxes_.end()) {
      const auto lease = co_await context_.store.lease(owner);
      if (!lease) co_return fail(lease.error());
      if (!*lease || (*lease)->epoch != epoch) co_return fail(Errc::superseded, "the operation is over");
      if ((*lease)->applied_n >= n) co_return Status{};
      if (inboxes_.contains(key)) continue;
      co_return fail(Errc::invalid_argument,
                     "the operation ends before its message " + std::to_string(n) + " came");
    }
    // The inbox is not shared meanwhile: it owns its waiters, which would own it.
    auto& inbox = *found->second;
    if (inbox.applied_n >= n) co_return Status{};
    if (!co_await inbox.applied.wait_until(deadline))
      co_return fail(Errc::timeout, "the operation did not settle in time");
  }
}

}  // namespace dg::app
