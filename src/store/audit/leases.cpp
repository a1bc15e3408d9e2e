#include "store/audit/leases.hpp"

#include <fmt/format.h>

namespace dg::store::audit {
namespace {

void check_run_lease(const ThreadLog& log, const Lease& lease, Findings& findings) {
  const Ids ids{{"run", lease.owner}, {"thread", log.id()}};
  const auto found = log.runs().find(lease.owner);
  if (found == log.runs().end())
    return findings.add("lease-wrong", ids, "there is a lease for a run that the thread does not have");
  const auto& run = found->second.run;
  if (run.state != domain::RunState::in_progress)
    return findings.add("lease-wrong", ids,
                        fmt::format("there is a lease, and the run is {}", to_string(run.state)));
  if (run.epoch != lease.epoch)
    findings.add("epoch-wrong", ids,
                 fmt::format("the lease has epoch {}, the run's newest owner {}", lease.epoch, run.epoch));
  if (run.session_id != lease.session_id)
    findings.add("lease-wrong", ids,
                 fmt::format("the lease is of the session {}, the run's newest owner is {}", lease.session_id,
                             run.session_id));
}

// What is in progress has the lease, and alone.
void check_running(const ThreadLog& log, const std::optional<Lease>& lease, Findings& findings) {
  const domain::Run* first = nullptr;
  for (const auto& [run_id, entry] : log.runs()) {
    if (entry.run.state != domain::RunState::in_progress) continue;
    const Ids ids{{"run", run_id}, {"thread", log.id()}};
    if (!lease || lease->owner != run_id)
      findings.add("lease-missing", ids, "the run is in progress and holds no lease");
    if (first != nullptr)
      findings.add("runs-at-once", ids, fmt::format("the run is in progress beside the run {}", first->id));
    first = &entry.run;
  }
}

}  // namespace

void check_lease(const ThreadLog& log, bool thread_erased, const std::optional<Lease>& lease,
                 const Sinks& sinks) {
  if (lease) ++sinks.checked.leases;
  if (lease && thread_erased)
    return sinks.findings.add("lease-wrong", {{"owner", lease->owner}, {"thread", log.id()}},
                              "there is a lease on a thread that was deleted");
  if (!log.readable()) return;
  if (lease && lease->kind == LeaseKind::run) check_run_lease(log, *lease, sinks.findings);
  check_running(log, lease, sinks.findings);
}

}  // namespace dg::store::audit
