#include <fmt/format.h>

#include <algorithm>

#include "store/audit/leases.hpp"
#include "store/audit/streams.hpp"
#include "store/audit/thread_log.hpp"

namespace dg::store::audit {
namespace {

// Goes through everything that is kept by thread side by side, one thread after the other.
class Walk {
 public:
  Walk(Audit& audit, const Sinks& sinks)
      : audit_(audit),
        sinks_(sinks),
        heads_(audit.heads()),
        logs_(audit.logs()),
        leases_(audit.leases()),
        states_(audit.newest_states()),
        kept_(audit.kept_states()),
        threads_(audit, ReadTable::threads, sinks.differences) {}

  void go() {
    while (const auto id = next_id()) visit(*id);
    threads_.finish();
  }

 private:
  std::optional<std::string> next_id() {
    while (heads_.peek() != nullptr && heads_.peek()->aggregate != "thread") heads_.skip();
    std::optional<std::string> least;
    const auto consider = [&](const auto* row, auto member) {
      if (row != nullptr && (!least || row->*member < *least)) least = row->*member;
    };
    consider(heads_.peek(), &StoredHead::id);
    consider(logs_.peek(), &StoredEvent::thread_id);
    consider(leases_.peek(), &Lease::thread_id);
    consider(states_.peek(), &NewestState::thread_id);
    consider(kept_.peek(), &KeptState::thread_id);
    return least;
  }

  void visit(const std::string& id) {
    StoredHead head;
    if (heads_.peek() != nullptr && heads_.peek()->id == id) {
      head = *heads_.peek();
      heads_.skip();
    }
    ThreadLog log(id, head.seq, sinks_.findings);
    for (; logs_.peek() != nullptr && logs_.peek()->thread_id == id; logs_.skip()) log.take(*logs_.peek());
    log.check_runs();
    const bool streams_whole = check_streams(audit_, log, sinks_);
    if (log.readable()) check_head(log, head, streams_whole);
    const auto lease = take_lease(id);
    check_lease(log, head.erased, lease, sinks_);
    check_kept(id, head.erased);
    expect_row(log, lease && lease->kind == LeaseKind::operation, take_unvisited(id));
  }

  void check_head(const ThreadLog& log, const StoredHead& head, bool streams_whole) {
    const Ids ids{{"thread", log.id()}};
    if (head.turn != log.turn())
      sinks_.findings.add("head-wrong", ids,
                          fmt::format("its head counts {} turns, its log has {}", head.turn, log.turn()));
    if (head.version > 0 && head.erased == log.exists())
      sinks_.findings.add("head-wrong", ids,
                          head.erased ? "its head says that it was erased, its log does not"
                                      : "it was deleted, and its head does not say so");
    // Where something was deleted, nobody can tell its places from lost ones.
    if (!log.complete() || !streams_whole) return;
    if (const auto free = log.places().first_free(head.seq); free != 0)
      sinks_.findings.add("log-gap", {{"thread", log.id()}, {"seq", std::to_string(free)}},
                          fmt::format("nothing has this place of the log, which ends at {}", head.seq));
  }

  std::optional<Lease> take_lease(const std::string& id) {
    std::optional<Lease> lease;
    for (; leases_.peek() != nullptr && leases_.peek()->thread_id == id; leases_.skip())
      lease = *leases_.peek();
    return lease;
  }

  bool take_unvisited(const std::string& id) {
    bool unvisited = false;
    for (; states_.peek() != nullptr && states_.peek()->thread_id == id; states_.skip())
      unvisited = states_.peek()->has_next;
    return unvisited;
  }

  // Code outside of runs may keep state under ids that never were threads.
  void check_kept(const std::string& id, bool erased) {
    for (; kept_.peek() != nullptr && kept_.peek()->thread_id == id; kept_.skip())
      if (erased)
        sinks_.findings.add("state-left", {{"thread", id}, {"table", kept_.peek()->table}},
                            "the thread was deleted, and this table has rows of it");
  }

  void expect_row(const ThreadLog& log, bool operation, bool unvisited) {
    if (!log.readable()) return threads_.pass_over(log.id());
    if (!log.exists()) return;
    ++sinks_.checked.threads;
    threads_.expect(thread_row(log.facts(operation, unvisited)));
  }

  Audit& audit_;
  const Sinks& sinks_;
  Ahead<StoredHead> heads_;
  Ahead<StoredEvent> logs_;
  Ahead<Lease> leases_;
  Ahead<NewestState> states_;
  Ahead<KeptState> kept_;
  TableMatch threads_;
};

}  // namespace

void compare_threads(Audit& audit, const Sinks& sinks) {
  Walk(audit, sinks).go();
}

}  // namespace dg::store::audit
