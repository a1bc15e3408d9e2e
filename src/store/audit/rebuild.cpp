#include "store/audit/rebuild.hpp"

#include "store/audit/compare.hpp"
#include "store/audit/packs.hpp"

namespace dg::store::audit {
namespace {

class Counting : public Differences {
 public:
  explicit Counting(Rebuilt& rebuilt) : rebuilt_(rebuilt) {
    for (const auto table : read_tables) rebuilt_.tables[table] = {};
  }
  void differs(ReadTable table, const ReadRow* expected, const ReadRow* stored) override {
    auto& counts = rebuilt_.tables[table];
    ++(stored == nullptr ? counts.added : expected == nullptr ? counts.removed : counts.changed);
  }

 private:
  Rebuilt& rebuilt_;
};

class Erasing final : public Counting {
 public:
  Erasing(Rebuilt& rebuilt, ReadTables& tables) : Counting(rebuilt), tables_(tables) {}
  void differs(ReadTable table, const ReadRow* expected, const ReadRow* stored) override {
    Counting::differs(table, expected, stored);
    if (stored != nullptr) tables_.erase(table, *stored);
  }

 private:
  ReadTables& tables_;
};

class Putting final : public Differences {
 public:
  explicit Putting(ReadTables& tables) : tables_(tables) {}
  void differs(ReadTable table, const ReadRow* expected, const ReadRow*) override {
    if (expected != nullptr) tables_.put(table, *expected);
  }

 private:
  ReadTables& tables_;
};

void compare(Audit& audit, const Sinks& sinks) {
  compare_aggregates(audit, sinks);
  compare_threads(audit, sinks);
}

bool changes_anything(const Rebuilt& rebuilt) {
  for (const auto& [table, counts] : rebuilt.tables)
    if (counts.added + counts.changed + counts.removed > 0) return true;
  return false;
}

}  // namespace

Result<Rebuilt> plan_rebuild(Audit& audit, std::size_t limit) {
  if (auto whole = require_whole_packs(audit); !whole) return fail(whole.error());
  Rebuilt out{.findings = Findings(limit)};
  Counting counting(out);
  compare(audit, {out.findings, counting, out.checked});
  if (auto finished = audit.finish(); !finished) return fail(finished.error());
  return out;
}

// Wrong rows go first and right ones come then: one of them may be in the way of another's unique key.
Result<Rebuilt> rebuild(Rebuilding& rebuilding, std::size_t limit) {
  Rebuilt out{.findings = Findings(limit)};
  auto& audit = *rebuilding.before;
  if (auto whole = require_whole_packs(audit); !whole) return fail(whole.error());
  Erasing erasing(out, *rebuilding.tables);
  compare(audit, {out.findings, erasing, out.checked});
  if (changes_anything(out)) {
    Findings said_already(0);
    Checked counted_already;
    Putting putting(*rebuilding.tables);
    compare(audit, {said_already, putting, counted_already});
  }
  if (auto finished = audit.finish(); !finished) return fail(finished.error());
  if (auto committed = rebuilding.tables->commit(); !committed) return fail(committed.error());
  return out;
}

}  // namespace dg::store::audit
