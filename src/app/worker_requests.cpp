// The questions that only a worker can answer, and what is known of graphs without one.
#include <algorithm>
#include <utility>

#include "app/workers.hpp"
#include "base/json.hpp"

namespace dg::app {

Error import_error(const std::string& graph_id, const std::string& error) {
  const json::View view(error);
  auto place = view["file"].string();
  if (const auto line = view["line"].integer(); line && !place.empty()) place += ":" + std::to_string(*line);
  Error out{Errc::unavailable,
            "the graph \"" + graph_id + "\" cannot be imported: " + (place.empty() ? "" : place + ": ") +
                view["error"].string() + ": " + view["message"].string(),
            {}};
  if (auto traceback = view["traceback"].string(); !traceback.empty())
    out.fields.push_back({place.empty() ? "graphs." + graph_id : place, std::move(traceback)});
  return out;
}

Task<Result<std::shared_ptr<WorkerSession>>> Workers::find(std::string graph_id, SteadyTime deadline) {
  // One that is connected here is asked without a detour.
  const auto is_better = [](const WorkerSession& one, const WorkerSession& other) {
    return std::pair(one.draining, !one.link) < std::pair(other.draining, !other.link);
  };
  while (true) {
    const auto seen = changes_;
    std::shared_ptr<WorkerSession> best;
    std::string error = "null";
    for (const auto& [id, session] : sessions_) {
      const auto* graph = session->graph(graph_id);
      if (graph == nullptr || !session->connected()) continue;
      if (graph->error != "null") {
        error = graph->error;
      } else if (!best || is_better(*session, *best)) {
        best = session;
      }
    }
    if (best) co_return best;
    if (error != "null") co_return fail(import_error(graph_id, error));
    if (!co_await look_up(graph_id)) co_return fail(unknown_graph(graph_id));
    if (changes_ == seen && !co_await changed_.wait_until(deadline))
      co_return fail(Errc::unavailable, "no worker serves the graph \"" + graph_id +
                                            "\"; start one with: duragraph worker DIR --server URL");
  }
}

Task<Result<std::string>> Workers::request(std::string graph_id, std::string method, std::string params,
                                           SteadyTime deadline) {
  while (true) {
    auto session = co_await find(graph_id, deadline);
    if (!session) co_return fail(session.error());
    if (!(*session)->connected()) continue;
    bool lost = false;
    auto result = co_await ask(std::move(*session), method, params, deadline, lost);
    if (!lost) co_return result;
  }
}

Task<Result<std::string>> Workers::request_of(std::shared_ptr<WorkerSession> session, std::string method,
                                              std::string params, SteadyTime deadline) {
  // A session without a connection is told nothing, and nobody that it was not.
  if (!session->connected()) co_return fail(Errc::unavailable, "the worker's connection closed");
  bool lost = false;
  auto result = co_await ask(std::move(session), method, std::move(params), deadline, lost);
  if (lost) co_return fail(Errc::timeout, result.error().message + "; what it was asked to do may be done");
  co_return result;
}

// Asks a session that is connected, here or elsewhere.
Task<Result<std::string>> Workers::ask(std::shared_ptr<WorkerSession> session, std::string method,
                                       std::string params, SteadyTime deadline, bool& lost) {
  const auto id = ++last_request_;
  auto& pending = requests_.try_emplace(id, context_.env.timers).first->second;
  pending.session = session->id;
  if (session->link) {
    session->link->send(WorkerRequest{id, method, std::move(params)});
  } else {
    const auto patience = deadline - context_.env.timers.now();
    context_.bus.send(bus::Topic::request, session->id,
                      encode(Question{context_.instance, id, method, std::move(params), patience}));
  }
  while (!pending.result && co_await pending.done.wait_until(deadline)) {
  }
  const auto over = requests_.extract(id);  // keeps `pending`
  lost = pending.lost;
  if (!pending.result)
    co_return fail(Errc::timeout, "the worker " + session->name + " did not answer " + method + " in time");
  if (lost) co_return fail(Errc::unavailable, pending.result->error().message);
  co_return std::move(*pending.result);
}

// Asks the session, which is connected here, for another instance.
Task<void> Workers::answer_other(std::string id, Question question) {
  const auto session = this->session(id);
  Reply reply{question.id, fail(Errc::unavailable, "the worker's connection closed"), true};
  if (session && session->link) {
    const auto deadline = context_.env.timers.now() + question.patience;
    reply.result = co_await ask(session, question.method, std::move(question.params), deadline, reply.lost);
  }
  context_.bus.send(bus::Topic::reply, question.instance, encode(reply));
}

void Workers::replied(std::int64_t id, Result<std::string> result) {
  const auto found = requests_.find(id);
  if (found == requests_.end()) return;
  found->second.result = std::move(result);
  found->second.done.notify_all();
}

void Workers::fail_requests(const std::string& session, const std::string& reason) {
  for (auto& [id, pending] : requests_) {
    if (pending.session != session || pending.result) continue;
    pending.result = fail(Errc::unavailable, reason);
    pending.lost = true;
    pending.done.notify_all();
  }
}

bool Workers::exists(const store::GraphRow& row) const {
  if (!row.declared || !named_ || named_->contains(row.graph_id)) return true;
  return std::ranges::any_of(sessions_, [&row](const auto& entry) {
    return !entry.second->draining && entry.second->graph(row.graph_id) != nullptr;
  });
}

std::vector<Workers::KnownGraph> Workers::graphs() const {
  std::vector<KnownGraph> out;
  for (const auto& [id, row] : known_)
    if (auto known = graph(id)) out.push_back(std::move(*known));
  return out;
}

std::string Workers::graph_names() const {
  std::string names;
  for (const auto& [id, row] : known_)
    if (exists(row)) names += (names.empty() ? "" : ", ") + id;
  return names.empty() ? "none" : names;
}

Error Workers::unknown_graph(std::string_view graph_id) const {
  return {Errc::not_found,
          "no graph is named \"" + std::string(graph_id) + "\"; graphs here: " + graph_names(),
          {}};
}

std::optional<Workers::KnownGraph> Workers::graph(std::string_view graph_id) const {
  const auto row = known_.find(graph_id);
  if (row == known_.end() || !exists(row->second)) return std::nullopt;
  KnownGraph out{row->second.graph_id, row->second.description, "null", false};
  for (const auto& [id, session] : sessions_) {
    const auto* registered = session->graph(graph_id);
    if (registered == nullptr) continue;
    if (registered->error == "null") {
      out.served = out.served || session->connected();
    } else {
      out.error = registered->error;
    }
  }
  if (out.served) out.error = "null";
  return out;
}

Task<std::optional<Workers::KnownGraph>> Workers::look_up(std::string graph_id) {
  auto known = graph(graph_id);
  if (known || !context_.bus.reaches_others()) co_return known;
  told_ = true;
  if (!co_await refresh()) co_return known;
  co_return graph(graph_id);
}

void Workers::name_graphs(std::set<std::string, std::less<>> graph_ids) {
  named_ = std::move(graph_ids);
  note_change();  // who waits for a worker of one that is gone is told so
}

Task<Status> Workers::declare_graph(std::string graph_id, std::string description) {
  const auto found = known_.find(graph_id);
  store::GraphRow row = found == known_.end() ? store::GraphRow{} : found->second;
  if (row.declared && row.description == description) co_return Status{};
  row.graph_id = graph_id;
  row.description = std::move(description);
  row.declared = true;
  row.updated_at = context_.env.clock.now();
  store::Commit commit;
  commit.changes.emplace_back(store::PutGraph{row});
  const auto done = co_await context_.store.commit(std::move(commit));
  if (!done) co_return fail(done.error());
  known_[graph_id] = std::move(row);
  tell_others();
  co_return Status{};
}

}  // namespace dg::app
