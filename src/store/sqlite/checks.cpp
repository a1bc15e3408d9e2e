#include "store/sqlite/checks.hpp"

#include <fmt/format.h>

#include <map>
#include <set>

#include "store/sqlite/rows.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view select_turn = "SELECT turn FROM heads WHERE aggregate_id = ? AND type = 'thread'";
constexpr std::string_view select_head =
    "SELECT version, erased FROM heads WHERE aggregate_id = ? AND type = ?";
constexpr std::string_view select_fence = "SELECT epoch, applied_n FROM leases WHERE owner = ?";
constexpr std::string_view select_holder = "SELECT owner FROM leases WHERE thread_id = ?";

// A commit's parts are checked one after the other, each as if those before it were applied.
class Checker {
 public:
  explicit Checker(Database& db) : db_(db) {}

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
  struct Head {
    std::int64_t version = 0;
    bool exists = false;
  };

  Status check(const ThreadUnchanged& condition) {
    Query query(db_, select_turn, condition.thread_id);
    const std::int64_t turn = query.next() ? query.integer() : 0;
    if (turn == condition.turn) return {};
    return fail(Errc::conflict,
                fmt::format("the runs of thread {} have changed meanwhile", condition.thread_id));
  }

  Status check(const Fence& fence) {
    Query query(db_, select_fence, fence.owner);
    if (!query.next()) return fail(Errc::superseded, fmt::format("{} holds no lease any more", fence.owner));
    const std::int64_t epoch = query.integer();
    const std::int64_t stored = query.integer();
    if (epoch != fence.epoch)
      return fail(Errc::superseded,
                  fmt::format("the lease of {} has epoch {}, not {}", fence.owner, epoch, fence.epoch));
    if (fence.first_n == 0 && fence.last_n == 0) return {};
    const auto known = applied_.find(fence.owner);
    const std::int64_t applied = known == applied_.end() ? stored : known->second;
    if (fence.last_n <= applied) return fail(Errc::conflict, "already applied");
    if (fence.first_n != applied + 1)
      return fail(Errc::superseded, fmt::format("message {} of {} was expected, not {}", applied + 1,
                                                fence.owner, fence.first_n));
    applied_[fence.owner] = fence.last_n;
    return {};
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
    Head& head = place->second;
    if (!added) return head;
    Query query(db_, select_head, id, to_string(type));
    if (!query.next()) return head;
    head.version = query.integer();
    head.exists = head.version > 0 && !query.flag();
    return head;
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
    Query query(db_, select_holder, thread_id);
    if (query.next()) place->second = query.text();
    if (released_.contains(place->second)) place->second.clear();
    return place->second;
  }
  void release(const std::string& owner) {
    released_.insert(owner);
    for (auto& [thread, holder] : holders_)
      if (holder == owner) holder.clear();
  }

  Database& db_;
  std::map<std::string, std::int64_t> applied_;
  std::map<std::pair<std::string, domain::AggregateType>, Head> heads_;
  std::map<std::string, std::string> holders_;
  std::set<std::string> released_;
};

}  // namespace

Status check(Database& db, const Commit& commit) {
  return Checker(db).check_all(commit);
}

}  // namespace dg::store::sqlite
