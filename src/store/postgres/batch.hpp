// Several commits written in one transaction.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/env.hpp"
#include "store/delta/document.hpp"
#include "store/postgres/connection.hpp"
#include "store/postgres/facts.hpp"
#include "store/postgres/series_cache.hpp"
#include "store/postgres/writes.hpp"
#include "store/store.hpp"

namespace dg::store::postgres {

class Batch {
 public:
  using Answers = std::vector<Result<Committed>>;

  // Everything outlives the batch. One that failed leaves its transaction open, for its owner to roll back,
  // and the cache in a state that is to be cleared. One that presumes takes it that what is to be created is
  // not there and that all else is; where that is wrong, or may be why a commit is refused, it fails, and one
  // that presumes nothing can be tried at once.
  Batch(Connection& connection, SeriesCache& cache, const Env& env, bool presuming)
      : connection_(connection), cache_(cache), env_(env), presuming_(presuming), facts_(cache, presuming) {}

  // Judges and applies the commits in order: each sees those before it, and one that is refused writes
  // nothing. One answer for each, when all of them are durable.
  Task<Outcome<Answers>> run(std::span<const Commit* const> commits);

  // Names the transaction once it has begun; empty before.
  const std::string& transaction_id() const { return facts_.transaction_id(); }
  // Whether COMMIT was sent: where the connection was then lost, it may have happened.
  bool may_have_committed() const { return committing_; }
  bool is_presuming() const { return presuming_; }
  // The answers, where it turned out that it did.
  Answers take_answers() { return std::move(answers_); }

 private:
  // The commit that is being applied.
  struct Context {
    WallTime now;
    const std::string& event_metadata;
    Committed result{};
    std::map<std::string, Touched> threads{};

    void touch(const std::string& thread_id) { threads[thread_id].changed_at = now; }
    // Its status may follow from something else now.
    void refresh(const std::string& thread_id) { threads[thread_id].status = true; }
  };

  Task<Outcome<Committed>> apply(const Commit& commit);
  void apply_condition(const Condition& condition);
  void apply_append(Context& context, const Append& append);
  // Gives out the next places of the thread's log and returns the first.
  std::int64_t take_places(const std::string& thread_id, std::int64_t count, std::int64_t turns);
  void mark_erased(domain::AggregateType type, const std::string& id);
  delta::Ref add_large(const delta::SeriesKey& key, std::string_view value, delta::NamedBy by);
  void merge_segments();
  void merge_parts();
  // Writes what was gathered so far, for statements that read it.
  Task<Outcome<void>> flush();

  // What only adds rows to write.
  void apply(Context& context, const PutAssistant& change);
  void apply(Context& context, const PutThread& change);
  void apply(Context& context, const PutRun& change);
  void apply(Context& context, const MarkRunCheckpoint& change);
  void apply(Context& context, const PutLease& change);
  void apply(Context& context, const DropLease& change);
  void apply(Context& context, const PutCheckpoint& change);
  void apply(Context& context, const PutWrites& change);
  void apply(Context& context, const AppendFrames& change);
  void apply(Context& context, const PutItem& change);
  void apply(Context& context, const EraseItem& change);
  void apply(Context& context, const PutSession& change);
  void apply(Context& context, const DisconnectSession& change);
  void apply(Context& context, const EndSession& change);
  void apply(Context& context, const EraseSession& change);
  void apply(Context& context, const PutGraph& change);
  void apply(Context& context, const AddApiKey& change);
  void apply(Context& context, const RevokeApiKey& change);
  void apply(Context& context, const NoteApiKeyUse& change);
  void put_value(const CheckpointKey& key, const ChannelValue& value);
  void put_patch(const NewWrites& writes);

  // What reads and changes rows at once; the details that are known are of no more use after it.
  Task<Outcome<void>> erase(Context& context, const EraseAssistant& change);
  Task<Outcome<void>> erase(Context& context, const EraseThread& change);
  Task<Outcome<void>> erase(Context& context, const EraseRun& change);
  Task<Outcome<void>> erase(Context& context, const EraseCheckpoints& change);
  Task<Outcome<void>> erase(Context& context, const EraseCheckpointsOfRun& change);
  Task<Outcome<void>> erase(Context& context, const EraseFrames& change);
  Task<Outcome<void>> erase(Context& context, const CopyCheckpoints& change);
  // Adds the values at these places to the target's series, by the source's id, and gives each its new place.
  Task<Outcome<void>> add_copies(std::vector<delta::Ref*> refs,
                                 std::map<std::int64_t, delta::SeriesKey> keys);
  Task<Outcome<void>> apply_alone(Context& context, const Change& change);

  bool writes_to_anothers(const NewWrites& writes) const;
  Task<Outcome<void>> keep_for_undo(const NewWrites& writes);

  Connection& connection_;
  SeriesCache& cache_;
  const Env& env_;
  bool presuming_;
  Needs needs_;
  Answers answers_;
  Facts facts_;
  Writes writes_;
  std::set<std::pair<std::string, std::string>>
      to_collect_;                  // namespaces with large values that nothing may name
  std::set<std::string> to_merge_;  // runs whose segments become one
  bool committing_ = false;
};

}  // namespace dg::store::postgres
