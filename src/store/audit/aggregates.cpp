#include <fmt/format.h>

#include <tuple>

#include "store/audit/folds.hpp"

namespace dg::store::audit {
namespace {

using Key = std::pair<std::string, std::string>;  // id, aggregate

Key key_of(const StoredHead& head) {
  return {head.id, head.aggregate};
}
Key key_of(const StoredEvent& event) {
  return {event.aggregate_id, event.aggregate};
}

// Goes through heads and events side by side, one aggregate after the other.
class Walk {
 public:
  Walk(Audit& audit, const Sinks& sinks)
      : sinks_(sinks),
        heads_(audit.heads()),
        events_(audit.events()),
        framed_(audit.framed_runs()),
        assistants_(audit, ReadTable::assistants, sinks.differences),
        versions_(audit, ReadTable::assistant_versions, sinks.differences),
        runs_(audit, ReadTable::runs, sinks.differences) {}

  void go() {
    while (heads_.peek() != nullptr || events_.peek() != nullptr) visit(next_key());
    assistants_.finish();
    versions_.finish();
    runs_.finish();
    while (framed_.peek() != nullptr) refuse_frames();
  }

 private:
  Key next_key() const {
    if (heads_.peek() == nullptr) return key_of(*events_.peek());
    if (events_.peek() == nullptr) return key_of(*heads_.peek());
    return std::min(key_of(*heads_.peek()), key_of(*events_.peek()));
  }

  void visit(const Key& key) {
    std::optional<StoredHead> head;
    if (heads_.peek() != nullptr && key_of(*heads_.peek()) == key) {
      head = *heads_.peek();
      heads_.skip();
    }
    const auto& [id, aggregate] = key;
    if (aggregate == "assistant") {
      AssistantFold fold(id, sinks_.findings);
      take_events(key, head, &fold);
      check_erased(key, head, fold);
      if (fold.alive()) ++sinks_.checked.assistants;
      fold.expect_in(assistants_, versions_);
    } else if (aggregate == "run") {
      RunFold fold(id, sinks_.findings);
      take_events(key, head, &fold);
      expect_run(fold, head, id);
    } else {
      if (aggregate != "thread")
        sinks_.findings.add("aggregate-unknown", {{"aggregate", aggregate}, {"id", id}},
                            "no kind of aggregate has this name");
      take_events(key, head, nullptr);  // a thread is folded with its log
    }
  }

  // A run goes with its thread too, which its own events do not tell; the log of the thread does, and is
  // held against the head elsewhere.
  void expect_run(const RunFold& fold, const std::optional<StoredHead>& head, const std::string& id) {
    const bool alive = fold.alive() && !(head && head->erased);
    while (framed_.peek() != nullptr && *framed_.peek() < id) refuse_frames();
    const bool has_frames = framed_.peek() != nullptr && *framed_.peek() == id;
    if (has_frames && !alive) refuse_frames();
    if (has_frames && alive) framed_.skip();
    if (!alive) return;
    ++sinks_.checked.runs;
    fold.expect_in(runs_, has_frames);
  }

  void refuse_frames() {
    sinks_.findings.add("frames-left", {{"run", *framed_.peek()}},
                        "frames are kept of a run that does not exist");
    framed_.skip();
  }

  void take_events(const Key& key, const std::optional<StoredHead>& head, Fold* fold) {
    std::int64_t version = 0;
    while (events_.peek() != nullptr && key_of(*events_.peek()) == key) {
      const auto& event = *events_.peek();
      if (event.version != version + 1) refuse_gap(key, version + 1, event.version);
      version = event.version;
      if (fold != nullptr) fold->take(event);
      ++sinks_.checked.events;
      events_.skip();
    }
    check_version(key, head, version);
  }

  void refuse_gap(const Key& key, std::int64_t due, std::int64_t found) {
    sinks_.findings.add("version-gap", {{key.second, key.first}, {"version", std::to_string(due)}},
                        fmt::format("the event with version {} comes where {} is due", found, due));
  }

  void check_version(const Key& key, const std::optional<StoredHead>& head, std::int64_t newest) {
    if (head && head->version == newest) return;
    sinks_.findings.add(
        "head-wrong", {{key.second, key.first}},
        head ? fmt::format("its head says version {}, its newest event has {}", head->version, newest)
             : fmt::format("it has no head, and {} events", newest));
  }

  void check_erased(const Key& key, const std::optional<StoredHead>& head, const Fold& fold) {
    if (!head || head->version == 0 || head->erased != fold.alive()) return;
    sinks_.findings.add("head-wrong", {{key.second, key.first}},
                        head->erased ? "its head says that it was erased, its events do not"
                                     : "it was deleted, and its head does not say so");
  }

  const Sinks& sinks_;
  Ahead<StoredHead> heads_;
  Ahead<StoredEvent> events_;
  Ahead<std::string> framed_;
  TableMatch assistants_;
  TableMatch versions_;
  TableMatch runs_;
};

}  // namespace

void compare_aggregates(Audit& audit, const Sinks& sinks) {
  Walk(audit, sinks).go();
}

}  // namespace dg::store::audit
