// What the log of one thread comes to.
#pragma once

#include <map>

#include "store/audit/compare.hpp"
#include "store/spans.hpp"

namespace dg::store::audit {

class ThreadLog {
 public:
  // `seq`: the last place that the thread's head gave out.
  ThreadLog(std::string id, std::int64_t seq, Findings& findings);

  // Takes the log's next event.
  void take(const StoredEvent& event);
  // Says that a place of the log is taken by `what` of a run.
  void take_place(std::int64_t place, std::string_view what, const std::string& run_id);
  // Holds the heads of the runs that are left against the log.
  void check_runs() const;

  const std::string& id() const { return id_; }
  // Whether there is such a thread now.
  bool exists() const { return exists_; }
  bool readable() const { return readable_; }
  // How many events its runs had.
  std::int64_t turn() const { return turn_; }
  // Whether nothing that took places was ever deleted.
  bool complete() const { return complete_; }
  const Spans& places() const { return places_; }

  // The runs that are left, by id; their requests are not known.
  struct LogRun {
    domain::Run run;
    bool erased = false;  // says its head
  };
  const std::map<std::string, LogRun>& runs() const { return runs_; }

  // What its row must be, with the status that follows from its runs and these.
  ThreadFacts facts(bool operation, bool unvisited_nodes) const;

 private:
  void take_thread_event(const StoredEvent& event);
  void take_run_event(const StoredEvent& event);
  void note_state(const std::string& ns, WallTime at);
  void forget_runs();
  void check_erased(const std::string& run_id, bool says, bool is) const;

  std::string id_;
  std::int64_t seq_;
  Findings& findings_;
  Spans places_;
  domain::Thread thread_;
  std::map<std::string, LogRun> runs_;
  WallTime newest_{};
  WallTime state_at_{};
  std::int64_t turn_ = 0;
  bool exists_ = false;
  bool readable_ = true;
  bool complete_ = true;
};

}  // namespace dg::store::audit
