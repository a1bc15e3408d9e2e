#include "store/postgres/batch.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "store/postgres/collect.hpp"

namespace dg::store::postgres {

Task<Outcome<Batch::Answers>> Batch::run(std::span<const Commit* const> commits) {
  for (const auto* commit : commits) needs_.add(*commit);
  if (auto begun = co_await facts_.begin(connection_, needs_); !begun)
    co_return fail_with(std::move(begun.error()));
  merge_parts();
  for (const auto* commit : commits) {
    if (auto judged = check_commit(facts_, *commit); !judged) {
      if (presuming_ && !needs_.created.empty())
        co_return fail_with(Facts::presumed_wrongly(judged.error().message));
      answers_.emplace_back(fail(std::move(judged.error())));
      continue;
    }
    auto committed = co_await apply(*commit);
    if (!committed) co_return fail_with(std::move(committed.error()));
    answers_.emplace_back(std::move(*committed));
  }
  merge_segments();
  if (!to_collect_.empty()) {
    if (auto flushed = co_await flush(); !flushed) co_return fail_with(std::move(flushed.error()));
    for (const auto& [thread_id, ns] : to_collect_)
      if (auto done = co_await collect_series(connection_, thread_id, ns); !done)
        co_return fail_with(std::move(done.error()));
    cache_.clear();
  }
  Pipeline pipeline;
  writes_.take_into(pipeline, facts_);
  drop_empty_heads(pipeline, facts_);
  pipeline.add("COMMIT");
  committing_ = true;
  auto written = co_await connection_.run(std::move(pipeline));
  if (!written) co_return fail_with(std::move(written.error()));
  co_return std::move(answers_);
}

void Batch::merge_parts() {
  for (auto& [key, parts] : std::exchange(facts_.unmerged_parts, {})) {
    auto merged = merge(std::move(parts));
    std::ranges::move(merged.put, std::back_inserter(writes_.series_parts));
    std::ranges::move(merged.erased, std::back_inserter(writes_.erased_parts));
    auto& series = facts_.series(key);
    series.pending = 0;
    writes_.series[key] = &series;
  }
}

void Batch::merge_segments() {
  std::map<std::string, std::vector<SegmentRow>> added;
  for (auto& row : std::exchange(writes_.segments, {}))
    (to_merge_.contains(row.run_id) ? added[row.run_id] : writes_.segments).push_back(std::move(row));
  for (const auto& run_id : to_merge_) {
    auto merged = merge(std::move(facts_.streams[run_id].unmerged), std::move(added[run_id]));
    std::ranges::move(merged.put, std::back_inserter(writes_.segments));
    std::ranges::move(merged.erased, std::back_inserter(writes_.erased_segments));
  }
}

Task<Outcome<void>> Batch::flush() {
  Pipeline pipeline;
  writes_.take_into(pipeline, facts_);
  if (pipeline.empty()) co_return Outcome<void>{};
  co_return co_await connection_.execute(std::move(pipeline));
}

Task<Outcome<Committed>> Batch::apply(const Commit& commit) {
  Context context{commit.at.value_or(env_.clock.now()), commit.event_metadata};
  for (const auto& condition : commit.conditions) apply_condition(condition);
  for (const auto& append : commit.appends) apply_append(context, append);
  for (const auto& change : commit.changes) {
    const auto* const writes = std::get_if<PutWrites>(&change);
    if (writes != nullptr && writes_to_anothers(writes->writes)) {
      if (auto kept = co_await keep_for_undo(writes->writes); !kept)
        co_return fail_with(std::move(kept.error()));
    }
    if (is_alone(change)) {
      if (auto done = co_await apply_alone(context, change); !done)
        co_return fail_with(std::move(done.error()));
      continue;
    }
    std::visit(
        [&](const auto& c) {
          if constexpr (requires { apply(context, c); }) apply(context, c);
        },
        change);
  }
  for (const auto& [thread_id, touched] : context.threads) {
    auto& whole = writes_.touched[thread_id];
    whole.changed_at = std::max(whole.changed_at, touched.changed_at);
    whole.state_at = std::max(whole.state_at, touched.state_at);
    whole.status = whole.status || touched.status;
  }
  co_return std::move(context.result);
}

Task<Outcome<void>> Batch::apply_alone(Context& context, const Change& change) {
  if (auto flushed = co_await flush(); !flushed) co_return fail_with(std::move(flushed.error()));
  Outcome<void> done;
  if (const auto* const assistant = std::get_if<EraseAssistant>(&change)) {
    done = co_await erase(context, *assistant);
  } else if (const auto* const thread = std::get_if<EraseThread>(&change)) {
    done = co_await erase(context, *thread);
  } else if (const auto* const run = std::get_if<EraseRun>(&change)) {
    done = co_await erase(context, *run);
  } else if (const auto* const checkpoints = std::get_if<EraseCheckpoints>(&change)) {
    done = co_await erase(context, *checkpoints);
  } else if (const auto* const of_run = std::get_if<EraseCheckpointsOfRun>(&change)) {
    done = co_await erase(context, *of_run);
  } else if (const auto* const frames = std::get_if<EraseFrames>(&change)) {
    done = co_await erase(context, *frames);
  } else if (const auto* const copy = std::get_if<CopyCheckpoints>(&change)) {
    done = co_await erase(context, *copy);
  }
  if (!done) co_return fail_with(std::move(done.error()));
  cache_.clear();
  co_return co_await facts_.read_details(connection_, needs_);
}

void Batch::apply_condition(const Condition& condition) {
  const auto* const fence = std::get_if<Fence>(&condition);
  if (fence == nullptr || fence->last_n == 0) return;
  auto lease = *facts_.lease(fence->owner);
  lease.applied_n = fence->last_n;
  facts_.put_lease(std::move(lease));
}

std::int64_t Batch::take_places(const std::string& thread_id, std::int64_t count, std::int64_t turns) {
  auto& head = facts_.head_of(domain::AggregateType::thread, thread_id);
  const auto first = head.seq + 1;
  head.seq += count;
  head.turn += turns;
  head.changed = true;
  return first;
}

void Batch::apply_append(Context& context, const Append& append) {
  if (append.events.empty()) return;
  const auto count = std::ssize(append.events);
  auto& head = facts_.head_of(append.aggregate, append.id);
  auto version = head.version;
  head.version += count;
  head.erased = false;
  head.changed = true;
  const bool of_run = append.aggregate == domain::AggregateType::run;
  const bool in_log = !append.thread_id.empty();
  std::int64_t seq = 0;
  if (in_log) {
    seq = take_places(append.thread_id, count, of_run ? count : 0);
    context.touch(append.thread_id);
  }
  auto& rows = of_run ? writes_.run_events : writes_.events;
  if (of_run) writes_.advanced_runs.insert(append.id);
  for (const auto& event : append.events) {
    rows.push_back({make_uuid7(env_), std::string(to_string(append.aggregate)), append.id, ++version,
                    event.type, event.payload, context.event_metadata, append.thread_id, in_log ? seq++ : 0,
                    context.now});
  }
}

void Batch::mark_erased(domain::AggregateType type, const std::string& id) {
  auto& head = facts_.head_of(type, id);
  head.erased = true;
  if (type == domain::AggregateType::thread) ++head.turn;
  head.changed = true;
}

}  // namespace dg::store::postgres
