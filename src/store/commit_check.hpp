// Whether a commit may be applied: the judgement that every adapter makes, over the few facts that it
// looks up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "store/store.hpp"

namespace dg::store {

// What the adapter has stored, as it is before the commit.
class CommitFacts {
 public:
  struct Head {
    std::int64_t version = 0;
    bool exists = false;  // it was never appended to, or was erased, where not
  };
  struct Owner {
    std::int64_t epoch = 0;
    std::int64_t applied_n = 0;
  };
  struct Connected {
    std::int64_t connection = 0, beats = 0;
    bool over = false;
  };
  virtual ~CommitFacts() = default;
  // 0 for a thread that never was.
  virtual std::int64_t turn(const std::string& thread_id) = 0;
  virtual Head head(domain::AggregateType type, const std::string& id) = 0;
  // The lease of a run or operation.
  virtual std::optional<Owner> owner(const std::string& id) = 0;
  // Who holds the thread; empty for nobody.
  virtual std::string holder(const std::string& thread_id) = 0;
  virtual std::optional<Connected> session(const std::string& id) = 0;
};

// Checks every condition, expected version and lease of the commit, one after the other, each as if
// those before it were applied. Gives the first refusal.
Status check_commit(CommitFacts& facts, const Commit& commit);

}  // namespace dg::store
