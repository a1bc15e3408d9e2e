#include "store/audit/checkpoints.hpp"

#include <set>
#include <tuple>

namespace dg::store::audit {
namespace {

using Namespace = std::pair<std::string, std::string>;  // of a thread

Namespace namespace_of(const StoredCheckpoint& row) {
  return {row.key.thread_id, row.key.ns};
}
Namespace namespace_of(const StoredValue& row) {
  return {row.thread_id, row.ns};
}

// Goes through checkpoints and values side by side, one namespace after the other.
class Walk {
 public:
  Walk(Audit& audit, Findings& findings, Checked& checked)
      : findings_(findings), checked_(checked), checkpoints_(audit.checkpoints()), values_(audit.values()) {}

  void go() {
    while (checkpoints_.peek() != nullptr || values_.peek() != nullptr) visit(next());
  }

 private:
  Namespace next() const {
    if (checkpoints_.peek() == nullptr) return namespace_of(*values_.peek());
    if (values_.peek() == nullptr) return namespace_of(*checkpoints_.peek());
    return std::min(namespace_of(*checkpoints_.peek()), namespace_of(*values_.peek()));
  }

  void visit(const Namespace& space) {
    std::set<ChannelVersion> named;
    for (; checkpoints_.peek() != nullptr && namespace_of(*checkpoints_.peek()) == space;
         checkpoints_.skip()) {
      const auto& row = *checkpoints_.peek();
      ++checked_.checkpoints;
      check(row);
      named.insert(row.versions.begin(), row.versions.end());
    }
    for (; values_.peek() != nullptr && namespace_of(*values_.peek()) == space; values_.skip()) {
      const auto& row = *values_.peek();
      ++checked_.values;
      if (named.contains(row.version)) continue;
      findings_.add("value-unreferenced",
                    {{"thread", row.thread_id},
                     {"ns", row.ns},
                     {"channel", row.version.first},
                     {"version", row.version.second}},
                    "no checkpoint names this value");
    }
  }

  void check(const StoredCheckpoint& row) {
    const Ids ids{{"thread", row.key.thread_id}, {"ns", row.key.ns}, {"checkpoint", row.key.checkpoint_id}};
    if (row.writer_erased)
      findings_.add("checkpoint-left", ids, "the run " + row.run_id + ", which wrote it, was deleted");
    for (const auto column : row.wrong_columns)
      findings_.add("checkpoint-column", ids,
                    "its column " + std::string(column) + " is not what its document says");
  }

  Findings& findings_;
  Checked& checked_;
  Ahead<StoredCheckpoint> checkpoints_;
  Ahead<StoredValue> values_;
};

}  // namespace

void check_checkpoints(Audit& audit, Findings& findings, Checked& checked) {
  Walk(audit, findings, checked).go();
}

}  // namespace dg::store::audit
