#include "store/commit_check.hpp"

#include <fmt/format.h>

#include <map>
#include <set>

namespace dg::store {
namespace {

// A commit's parts are checked one after the other, each as if those before it were applied.
class Checker {
 public:
  explicit Checker(CommitFacts& facts) : facts_(facts) {}

  Status check_all(const Commit& commit) {
    for (const auto& condition : commit.conditions) {
      const auto status = std::visit([&](const auto& c) { return check(c); }, condition);
      if (!status) return status;
    }
    for (const auto& append : commit.appends)
      if (auto status = check(append); !status) return status;
    for (const auto& change : commit.changes) {
      const auto status = std::visit([&](const auto& c) { return check(c); }, change);
      if (!status) return status;
    }
    return {};
  }

 private:
  using Head = CommitFacts::Head;

  Status check(const ThreadUnchanged& condition) {
    if (facts_.turn(condition.thread_id) == condition.turn) return {};
    return fail(Errc::conflict,
                fmt::format("the runs of thread {} have changed meanwhile", condition.thread_id));
  }

  Status check(const Fence& fence) {
    const auto owner = facts_.owner(fence.owner);
    if (!owner) return fail(Errc::superseded, fmt::format("{} holds no lease any more", fence.owner));
    if (owner->epoch != fence.epoch)
      return fail(Errc::superseded, fmt::format("the lease of {} has epoch {}, not {}", fence.owner,
                                                owner->epoch, fence.epoch));
    if (fence.first_n == 0 && fence.last_n == 0) return {};
    const auto known = applied_.find(fence.owner);
    const std::int64_t applied = known == applied_.end() ? owner->applied_n : known->second;
    if (fence.last_n <= applied) return fail(Errc::conflict, "already applied");
    if (fence.first_n <= applied) return fail(Errc::conflict, "already applied in part");
    if (fence.first_n != applied + 1)
      return fail(Errc::superseded, fmt::format("message {} of {} was expected, not {}", applied + 1,
                                                fence.owner, fence.first_n));
    applied_[fence.owner] = fence.last_n;
    return {};
  }

  Status check(const SessionAt& condition) {
    const auto session = facts_.session(condition.session_id);
    const bool same = session ? !session->over && session->connection == condition.connection &&
                                    condition.beats.value_or(session->beats) == session->beats
                              : condition.connection == 0;
    if (same) return {};
    return fail(Errc::conflict, fmt::format("the session {} has moved meanwhile", condition.session_id));
  }

  Status check(const Append& append) {
    Head& head = head_of(append.aggregate, append.id);
    const bool matches =
        !append.expected_version ||
        (*append.expected_version == 0 ? !head.exists
                                       : head.exists && head.version == *append.expected_version);
    if (!matches) return refuse(append, head);
    head.version += static_cast<std::int64_t>(append.events.size());
    head.exists = head.exists || !append.events.empty();
    return {};
  }

  static std::unexpected<Error> refuse(const Append& append, const Head& head) {
    const auto type = to_string(append.aggregate);
    if (!head.exists) return fail(Errc::conflict, fmt::format("{} {} does not exist", type, append.id));
    if (*append.expected_version == 0)
      return fail(Errc::conflict, fmt::format("{} {} exists already", type, append.id));
    return fail(Errc::conflict, fmt::format("{} {} is at version {}, not {}", type, append.id, head.version,
                                            *append.expected_version));
  }

  Head& head_of(domain::AggregateType type, const std::string& id) {
    const auto [place, added] = heads_.try_emplace({id, type});
    if (added) place->second = facts_.head(type, id);
    return place->second;
  }

  Status check(const PutLease& put) {
    const Head& thread = head_of(domain::AggregateType::thread, put.lease.thread_id);
    if (thread.version > 0 && !thread.exists)
      return fail(Errc::conflict, fmt::format("thread {} was deleted", put.lease.thread_id));
    auto& holder = holder_of(put.lease.thread_id);
    if (!holder.empty() && holder != put.lease.owner)
      return fail(Errc::busy, fmt::format("thread {} is owned by {}", put.lease.thread_id, holder));
    // An owner has one lease: taking another one leaves the first.
    release(put.lease.owner);
    holder = put.lease.owner;
    return {};
  }
  Status check(const DropLease& drop) {
    release(drop.owner);
    return {};
  }
  Status check(const EraseRun& erase) {
    release(erase.id);
    return {};
  }
  Status check(const EraseThread& erase) {
    holders_[erase.id].clear();
    return {};
  }
  template <class AnyOther>
  Status check(const AnyOther&) {
    return {};
  }

  // Who holds the thread after the changes so far; empty for nobody.
  std::string& holder_of(const std::string& thread_id) {
    const auto [place, added] = holders_.try_emplace(thread_id);
    if (!added) return place->second;
    place->second = facts_.holder(thread_id);
    if (released_.contains(place->second)) place->second.clear();
    return place->second;
  }
  void release(const std::string& owner) {
    released_.insert(owner);
    for (auto& [thread, holder] : holders_)
      if (holder == owner) holder.clear();
  }

  CommitFacts& facts_;
  std::map<std::string, std::int64_t> applied_;
  std::map<std::pair<std::string, domain::AggregateType>, Head> heads_;
  std::map<std::string, std::string> holders_;
  std::set<std::string> released_;
};

}  // namespace

Status check_commit(CommitFacts& facts, const Commit& commit) {
  return Checker(facts).check_all(commit);
}

}  // namespace dg::store
