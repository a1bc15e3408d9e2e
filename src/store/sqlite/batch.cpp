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

}  // namespace dg::store::sqlite
