#include "store/audit/folds.hpp"

#include "domain/run_history.hpp"

namespace dg::store::audit {

void refuse_event(Findings& findings, const StoredEvent& event, const Error& error) {
  findings.add("event-unreadable",
               {{event.aggregate, event.aggregate_id}, {"version", std::to_string(event.version)}},
               error.message);
}

void AssistantFold::take(const StoredEvent& event) {
  const auto fact = domain::assistant_event_from(event.type, event.payload);
  if (!fact) {
    readable_ = false;
    return refuse_event(findings_, event, fact.error());
  }
  const bool created = std::holds_alternative<domain::AssistantCreated>(*fact);
  if (created == alive_)
    findings_.add(
        "event-impossible", {{"assistant", assistant_.id}, {"version", std::to_string(event.version)}},
        event.type + " cannot come here: the assistant " + (alive_ ? "exists already" : "does not exist"));
  if (created) {
    domain::Assistant fresh;
    fresh.id = assistant_.id;
    assistant_ = std::move(fresh);
    versions_.clear();
    alive_ = true;
  }
  assistant_ = domain::evolve(std::move(assistant_), *fact, event.at);
  if (std::holds_alternative<domain::AssistantDeleted>(*fact)) alive_ = false;
  if (!std::holds_alternative<domain::AssistantVersionChosen>(*fact))
    versions_[assistant_.number] = {assistant_.content, event.at};
}

void AssistantFold::expect_in(TableMatch& assistants, TableMatch& versions) const {
  if (!readable_) {
    assistants.pass_over(assistant_.id);
    versions.pass_over(assistant_.id);
    return;
  }
  if (!alive_) return;
  assistants.expect(assistant_row(assistant_));
  for (const auto& [number, version] : versions_)
    versions.expect(assistant_version_row(assistant_.id, number, version.content, version.created_at));
}

void RunFold::take(const StoredEvent& event) {
  const Ids ids{{"run", run_.id}, {"version", std::to_string(event.version)}};
  const auto fact = domain::run_event_from(event.type, event.payload);
  if (!fact) {
    readable_ = false;
    return refuse_event(findings_, event, fact.error());
  }
  // Behind one that cannot be read nothing is known of the run.
  if (const auto why = domain::impossible_after(run_, deleted_, *fact); readable_ && why)
    findings_.add("event-impossible", ids, event.type + " cannot come here: " + *why);
  run_ = domain::evolve(std::move(run_), *fact, event.at);
  deleted_ = deleted_ || std::holds_alternative<domain::RunDeleted>(*fact);
  if (event.thread_id != run_.thread_id)
    findings_.add("event-misplaced", ids,
                  event.type + " is in the log of the thread " + event.thread_id +
                      ", the run is on the thread " + run_.thread_id);
}

void RunFold::expect_in(TableMatch& runs, bool has_frames) const {
  if (!readable_) return runs.pass_over(run_.id);
  runs.expect(run_row(run_, has_frames));
}

}  // namespace dg::store::audit
