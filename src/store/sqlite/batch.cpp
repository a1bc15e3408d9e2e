#include "store/sqlite/batch.hpp"

#include <utility>

#include "base/log.hpp"
#include "store/sqlite/apply.hpp"
#include "store/sqlite/checks.hpp"

namespace dg::store::sqlite {
namespace {

using Answers = std::vector<Result<Committed>>;

// What became of a transaction. `again` says that trying its members singly may help: it does not
// when the final flush failed, since what the system then did with the pages is not known.
struct Failure {
  Error error;
  bool again = true;
};

std::expected<Answers, Failure> attempt(Database& db, SeriesWriter& series, const Env& env,
                                        std::span<const Commit* const> commits) {
  Answers answers;
  execute(db, "BEGIN IMMEDIATE");
  for (const auto* commit : commits) {
    if (db.failed()) break;
    auto checked = check(db, *commit);
    if (db.failed()) break;
    if (checked) {
      answers.emplace_back(apply(db, series, env, *commit));
    } else {
      answers.emplace_back(fail(std::move(checked.error())));
    }
  }
  const bool failed_before_flush = db.failed();
  if (!failed_before_flush) execute(db, "COMMIT");
  if (auto status = db.take_status(); !status) {
    db.rollback();
    series.forget();
    return std::unexpected(Failure{std::move(status.error()), failed_before_flush});
  }
  return answers;
}

std::size_t size_of_part(const PutCheckpoint& change) {
  const auto& c = change.checkpoint;
  std::size_t size =
      c.checkpoint.data.size() + c.metadata.size() + c.projection.size() + c.channel_versions.size();
  for (const auto& value : c.values) size += value.value.data.size() + value.channel.size();
  return size;
}
std::size_t size_of_part(const PutWrites& change) {
  std::size_t size = change.writes.task_patch.size();
  for (const auto& write : change.writes.writes) size += write.value.data.size() + write.channel.size();
  return size;
}
std::size_t size_of_part(const AppendFrames& change) {
  std::size_t size = 0;
  for (const auto& frame : change.frames) size += frame.event.size() + frame.data.size();
  return size;
}
std::size_t size_of_part(const PutRun& change) {
  const auto& request = change.run.request;
  return request.input.size() + request.command.size() + request.config.size() + request.context.size() +
         change.run.metadata.size();
}
std::size_t size_of_part(const PutThread& change) {
  return change.thread.metadata.size() + change.thread.config.size();
}
std::size_t size_of_part(const PutItem& change) {
  return change.value.size();
}
template <class AnyOther>
std::size_t size_of_part(const AnyOther&) {
  return 0;
}

}  // namespace

std::vector<Result<Committed>> commit_batch(Database& db, SeriesWriter& series, const Env& env,
                                            std::span<const Commit* const> commits) {
  auto answers = attempt(db, series, env, commits);
  if (answers) return std::move(*answers);
  auto& [error, again] = answers.error();
  if (commits.size() == 1 || !again) {
    log::error("a commit failed: {}", error.message);
    return Answers(commits.size(), fail(error));
  }
  log::warn("a batch of {} commits failed and is tried one by one: {}", commits.size(), error.message);
  Answers out;
  for (std::size_t i = 0; i < commits.size(); ++i)
    out.push_back(std::move(commit_batch(db, series, env, commits.subspan(i, 1)).front()));
  return out;
}

std::size_t size_of(const Commit& commit) {
  std::size_t size = 256;
  for (const auto& append : commit.appends)
    for (const auto& event : append.events) size += event.payload.size() + commit.event_metadata.size() + 128;
  for (const auto& change : commit.changes)
    size += 128 + std::visit([](const auto& c) { return size_of_part(c); }, change);
  return size;
}

}  // namespace dg::store::sqlite
