#include "store/audit/verify.hpp"

#include "store/audit/checkpoints.hpp"
#include "store/audit/compare.hpp"
#include "store/audit/packs.hpp"
#include "store/audit/series.hpp"

namespace dg::store::audit {
namespace {

Ids ids_of(ReadTable table, const ReadRow& row) {
  switch (table) {
    case ReadTable::assistants:
      return {{"assistant", row.id}};
    case ReadTable::assistant_versions:
      return {{"assistant", row.id}, {"number", std::to_string(row.number)}};
    case ReadTable::threads:
      return {{"thread", row.id}};
    case ReadTable::runs:
      return {{"run", row.id}};
  }
  return {};
}

// A value as a message shows it; documents may be of any size.
std::string shown(const std::optional<std::string>& value) {
  constexpr std::size_t most = 60;
  if (!value) return "nothing";
  if (value->empty()) return "empty";
  return value->size() <= most ? *value : value->substr(0, most) + "…";
}

class DifferenceFindings final : public Differences {
 public:
  explicit DifferenceFindings(Findings& findings) : findings_(findings) {}

  void differs(ReadTable table, const ReadRow* expected, const ReadRow* stored) override {
    const std::string name(to_string(table));
    if (stored == nullptr)
      return findings_.add("row-missing", ids_of(table, *expected),
                           name + " has no row for what the events tell of");
    if (expected == nullptr)
      return findings_.add("row-extra", ids_of(table, *stored), name + " has a row that no event tells of");
    findings_.add("row-differs", ids_of(table, *stored), name + ": " + difference(table, *expected, *stored));
  }

 private:
  static std::string difference(ReadTable table, const ReadRow& expected, const ReadRow& stored) {
    std::string out;
    const auto say = [&](std::string_view name, const std::string& what) {
      out.append(out.empty() ? "" : "; ").append(name).append(what);
    };
    const auto names = columns(table);
    for (std::size_t i = 0; i < names.size(); ++i)
      if (expected.columns.at(i) != stored.columns.at(i))
        say(names[i], " is " + shown(stored.columns.at(i)) + ", must be " + shown(expected.columns.at(i)));
    for (const auto name : stored.wrong_columns) say(name, " is not what it repeats");
    return out;
  }

  Findings& findings_;
};

}  // namespace

Result<Verified> verify(Audit& audit, std::size_t limit) {
  Verified out{Findings(limit), {}};
  const auto damage = audit.damage(limit);
  for (const auto& what : damage) out.findings.add("file-damaged", {}, what);
  DifferenceFindings differences(out.findings);
  const Sinks sinks{out.findings, differences, out.checked};
  compare_aggregates(audit, sinks);
  compare_threads(audit, sinks);
  check_packs(audit, out.findings);
  check_checkpoints(audit, out.findings, out.checked);
  check_series(audit, out.findings);
  const auto finished = audit.finish();
  if (finished) return out;
  if (damage.empty()) return fail(finished.error());
  out.findings.add("file-damaged", {}, "the checks ended early: " + finished.error().message);
  return out;
}

}  // namespace dg::store::audit
