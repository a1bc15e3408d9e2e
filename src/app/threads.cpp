#include "app/threads.hpp"

#include "app/changes.hpp"
#include "base/json.hpp"

namespace dg::app {

Threads::Threads(Context& context, Workers& workers)
    : context_(context), workers_(workers), lines_(context.env.timers) {}

Task<Result<store::ThreadRow>> Threads::create(Caller caller, std::optional<std::string> id,
                                               std::string metadata, bool keep_existing) {
  domain::Thread thread;
  thread.id = id.value_or(make_uuid7(context_.env));
  auto commit = commit_for(caller, context_.env.clock.now());
  append_thread(commit, thread, domain::ThreadCreated{std::move(metadata), false, caller.user});
  commit.changes.emplace_back(store::PutThread{thread});
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done && done.error().code == Errc::conflict) {
    auto existing = co_await get(the_server, thread.id);
    if (existing && keep_existing && caller.may_see(existing->thread.owner)) co_return existing;
    // A deleted thread's id stays taken by its tombstone.
    co_return fail(Errc::conflict, existing
                                       ? "Thread already exists"
                                       : "the thread existed and was deleted; its id cannot be used again");
  }
  if (!done) co_return fail(done.error());
  if (id)
    co_return co_await get(caller, thread.id);  // code outside of runs may have kept checkpoints under it
  store::ThreadRow row;
  row.state_updated_at = thread.created_at;
  row.thread = std::move(thread);
  co_return row;
}

Task<Result<store::ThreadRow>> Threads::get(Caller caller, std::string id) {
  auto row = co_await context_.store.thread(id);
  if (!row) co_return fail(row.error());
  if (!*row || !caller.may_see((*row)->thread.owner)) co_return unknown_thread(id);
  co_return std::move(**row);
}

Task<Result<store::ThreadRow>> Threads::patch(Caller caller, std::string id, std::string metadata) {
  const auto turn = co_await lines_.enter(id);
  co_return co_await until_decided([&] { return try_patch(caller, id, metadata); });
}

Task<Result<store::ThreadRow>> Threads::try_patch(Caller caller, std::string id, std::string metadata) {
  auto row = co_await get(caller, id);
  if (!row) co_return row;
  auto commit = commit_for(caller, context_.env.clock.now());
  append_thread(commit, row->thread, domain::ThreadPatched{std::move(metadata)});
  commit.changes.emplace_back(store::PutThread{row->thread});
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  co_return co_await get(caller, id);
}

Task<Status> Threads::remove(Caller caller, std::string id) {
  const auto turn = co_await lines_.enter(id);
  co_return co_await until_decided([&] { return try_remove(caller, id); });
}

Task<Status> Threads::try_remove(Caller caller, std::string id) {
  auto found = co_await context_.store.thread_now(id);
  if (!found) co_return fail(found.error());
  if (!found->thread || !caller.may_see(found->thread->owner)) co_return unknown_thread(id);
  auto commit = commit_for(caller, context_.env.clock.now());
  commit.conditions.emplace_back(store::ThreadUnchanged{id, found->head.turn});
  append_thread(commit, *found->thread, domain::ThreadDeleted{});
  commit.changes.emplace_back(store::EraseThread{id});
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  for (const auto& run : found->open) {
    if (run.state == domain::RunState::in_progress) {
      workers_.send(run.session_id, Superseded{run.id, run.epoch, "its thread was deleted"});
      workers_.disown(run.session_id, run.id);
    }
    context_.bus.publish(bus::Topic::run, run.id);
  }
  co_return Status{};
}

Task<Result<store::ThreadRow>> Threads::copy(Caller caller, std::string id) {
  const auto source = co_await get(caller, id);
  if (!source) {
    if (source.error().code == Errc::not_found) co_return fail(Errc::conflict, source.error().message);
    co_return source;
  }
  domain::Thread thread;
  thread.id = make_uuid7(context_.env);
  // Metadata that names the thread follows it, as the checkpoints' does.
  std::string metadata = source->thread.metadata;
  if (json::View(metadata).find("thread_id")) {
    const auto patch = json::Writer().begin_object().key("thread_id").string(thread.id).end_object().take();
    metadata = json::merge(json::View(metadata), json::View(patch));
  }
  auto commit = commit_for(caller, context_.env.clock.now());
  append_thread(commit, thread, domain::ThreadCopied{id, metadata, source->thread.config, caller.user});
  commit.changes.emplace_back(store::PutThread{thread});
  commit.changes.emplace_back(store::CopyCheckpoints{id, thread.id});
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  co_return co_await get(caller, thread.id);
}

Task<Result<store::Found<store::ThreadRow>>> Threads::search(Caller caller, store::ThreadFilter filter,
                                                             store::Page page) {
  filter.owner = caller.only_owner();
  co_return co_await context_.store.threads(std::move(filter), page);
}

}  // namespace dg::app
