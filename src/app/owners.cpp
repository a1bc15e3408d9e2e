#include "app/owners.hpp"

#include <algorithm>

#include "app/items.hpp"
#include "base/log.hpp"

namespace dg::app {
namespace {

constexpr std::size_t commit_messages_max = 512;
constexpr std::size_t commit_bytes_max = 8u << 20;

store::NewEvent checkpoint_saved(const store::CheckpointKey& key, const std::string& revision) {
  const domain::RunEvent event = domain::CheckpointSaved{key.checkpoint_id, key.ns, revision};
  return {std::string(domain::type_of(event)), domain::payload_of(event)};
}

store::NewEvent state_updated(const store::CheckpointKey& key) {
  const domain::ThreadEvent event = domain::ThreadStateUpdated{key.checkpoint_id, key.ns};
  return {std::string(domain::type_of(event)), domain::payload_of(event)};
}

}  // namespace

Owners::Owners(Context& context, Workers& workers, Runs& runs, Streams& streams)
    : context_(context), workers_(workers), runs_(runs), streams_(streams) {}

void Owners::receive(OwnerMessage message, std::shared_ptr<WorkerLink> link) {
  const Key key{message.owner, message.epoch};
  auto& inbox = inboxes_[key];
  if (!inbox) inbox = std::make_shared<Inbox>(context_.env.timers);
  inbox->link = std::move(link);
  inbox->waiting.push_back(std::move(message));
  if (inbox->draining) return;
  inbox->draining = true;
  spawn(context_.env.timers.executor(), "owner", drain(key, inbox));
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
  if (inbox.is_run) co_return Status{};
  // Code outside of runs may keep checkpoints under ids that are no threads.
  const auto thread = co_await context_.store.thread(inbox.thread_id);
  if (!thread) co_return fail(thread.error());
  inbox.has_thread = thread->has_value();
  co_return Status{};
}

Task<void> Owners::drain(Key key, std::shared_ptr<Inbox> inbox) {
  Status status = co_await look_up(key, *inbox);
  while (status && !inbox->waiting.empty()) {
    std::vector<OwnerMessage> batch;
    std::size_t bytes = 0;
    std::int64_t due = inbox->applied_n + 1;
    while (!inbox->waiting.empty() && batch.size() < commit_messages_max && bytes < commit_bytes_max) {
      auto& next = inbox->waiting.front();
      if (next.n <= inbox->applied_n) {  // sent again after a lost connection
        if (next.reply_id != 0) inbox->link->send(Replied{next.reply_id});
        inbox->waiting.pop_front();
        inbox->link->send(Ack{key.first, key.second, inbox->applied_n});
        continue;
      }
      if (next.n != due) break;  // after this batch it is a repeat, or there is a gap
      ++due;
      bytes += next.bytes;
      batch.push_back(std::move(next));
      inbox->waiting.pop_front();
    }
    if (batch.empty() && inbox->waiting.empty()) continue;
    if (batch.empty()) {
      inbox->link->close(4400, "the numbers of a run's messages have a gap");
      inbox->waiting.clear();
      break;
    }
    status = co_await apply(key, *inbox, std::move(batch));
    if (status) inbox->link->send(Ack{key.first, key.second, inbox->applied_n});
    inbox->applied.notify_all();
  }
  if (!status && status.error().code == Errc::superseded) {
    inbox->dead = true;
    inbox->link->send(Superseded{key.first, key.second, status.error().message});
  } else if (!status && status.error().code == Errc::invalid_argument) {
    inbox->link->close(4400, status.error().message);
  } else if (!status) {
    // The database failed. The worker keeps what was not acknowledged and sends it again.
    log::error("messages of {} could not be applied: {}", key.first, status.error().message);
    inbox->link->close(1001, "the database is failing");
  }
  inbox->draining = false;
  inbox->applied.notify_all();
  inboxes_.erase(key);
}

Task<Status> Owners::apply(const Key& key, Inbox& inbox, std::vector<OwnerMessage> messages) {
  store::Commit commit;
  std::vector<store::Frame> frames;
  store::Append facts{domain::AggregateType::run, key.first, std::nullopt, inbox.thread_id, {}};
  if (!inbox.is_run)
    facts = {domain::AggregateType::thread, inbox.thread_id, std::nullopt, inbox.thread_id, {}};
  const CompleteSaid* complete = nullptr;
  bool checkpoint = false;
  std::int64_t last_n = inbox.applied_n;
  for (auto& message : messages) {
    complete = std::get_if<CompleteSaid>(&message.body);
    if (complete != nullptr) break;  // nothing may follow the end
    last_n = message.n;
    if (auto* some = std::get_if<FramesSaid>(&message.body)) {
      // An operation has no stream.
      if (inbox.is_run) std::ranges::move(some->frames, std::back_inserter(frames));
    } else if (auto* saved = std::get_if<CheckpointSaid>(&message.body)) {
      saved->checkpoint.key.thread_id = inbox.thread_id;
      const auto& place = saved->checkpoint.key;
      if (inbox.is_run) {
        saved->checkpoint.run_id = key.first;
        facts.events.push_back(checkpoint_saved(place, inbox.revision));
      } else if (inbox.has_thread) {
        facts.events.push_back(state_updated(place));
      }
      checkpoint = true;
      commit.changes.emplace_back(store::PutCheckpoint{std::move(saved->checkpoint)});
    } else if (auto* pending = std::get_if<WritesSaid>(&message.body)) {
      pending->writes.key.thread_id = inbox.thread_id;
      commit.changes.emplace_back(store::PutWrites{std::move(pending->writes)});
    } else if (auto* items = std::get_if<ItemsSaid>(&message.body)) {
      for (auto& put : items->puts)
        add_item(commit, std::move(put.ns), std::move(put.key), std::move(put.value));
    }
  }
  if (last_n > inbox.applied_n) {
    commit.conditions.emplace_back(store::Fence{key.first, key.second, inbox.applied_n + 1, last_n});
    if (!facts.events.empty()) commit.appends.push_back(std::move(facts));
    if (checkpoint && inbox.is_run) commit.changes.emplace_back(store::MarkRunCheckpoint{key.first});
    if (!frames.empty()) commit.changes.emplace_back(store::AppendFrames{key.first, inbox.thread_id, frames});
    auto done = co_await context_.store.commit(std::move(commit));
    if (!done) co_return fail(done.error());
    inbox.applied_n = last_n;
    if (!frames.empty()) streams_.publish(key.first, done->first_frames.front(), frames);
    for (const auto& message : messages)
      if (message.reply_id != 0 && message.n <= last_n) inbox.link->send(Replied{message.reply_id});
  }
  if (complete == nullptr) co_return Status{};
  const auto n = inbox.applied_n + 1;
  auto done = inbox.is_run ? co_await runs_.complete(key.first, key.second, n, *complete)
                           : Status(fail(Errc::invalid_argument, "an operation has no completion"));
  if (!done) co_return done;
  inbox.applied_n = n;
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
