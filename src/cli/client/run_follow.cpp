#include "cli/client/run_follow.hpp"

#include <fmt/format.h>

#include <thread>

#include "cli/client/questions.hpp"
#include "cli/client/watch_view.hpp"

namespace dg::cli {
namespace {

void note_for_interrupt(const std::string& run_id) {
  set_interrupt_note(fmt::format("\nthe run goes on; see it again with: duragraph run watch {}\n", run_id));
}

Result<ExitCode> follow(Session& session, HttpCall first, StreamPlace place) {
  WatchView view(session.out);
  bool named = !place.run_id.empty();
  const auto on_event = [&](const SseEvent& event) {
    if (!named && event.event == "metadata" && json::validate(event.data, json::worker_rules)) {
      const auto run_id = json::View(event.data)["run_id"].string();
      session.out.note(fmt::format("run {}  thread {}", run_id, place.thread_id));
      note_for_interrupt(run_id);
      named = true;
    }
    view.show(event);
    return session.out.open();
  };
  const auto on_lost = [&] {
    view.end_line();
    session.out.note("the connection was lost; connecting again");
  };
  auto followed = follow_run(session.api, std::move(first), place, on_event, on_lost);
  view.end_line();
  if (!followed) return fail(followed.error());
  if (!session.out.open()) return ExitCode::ok;
  return report_end(session, place.run_id);
}

// What a run that has not begun waits for, on standard error.
void note_why_waiting(Session& session, const std::string& run_id) {
  const auto why = session.api.why(run_id);
  if (!why) return;
  const auto reason = json::View(*why)["reason"];
  const auto code = reason["code"].string();
  if (code != "running" && code != "finished" && code != "person") {
    session.out.note("waiting: " + reason["message"].string());
  }
}

// A failure leaves the questions open that were not answered, and what failed may have been an answer.
void note_failure(Session& session, json::View run) {
  const auto run_id = run["run_id"].string();
  session.out.note(fmt::format("the run {} failed; again with: duragraph run retry {}", run_id, run_id));
  const auto thread_id = run["thread_id"].string();
  const auto thread = session.api.thread(thread_id);
  if (!thread || json::View(*thread)["status"].string() == "busy") return;
  const auto questions = questions_in(json::View(*thread)["interrupts"]);
  if (!questions.empty()) session.out.note("its thread " + how_to_answer(thread_id, questions));
}

}  // namespace

void note_pause(Session& session, json::View reason) {
  const auto thread_id = reason["thread_id"].string();
  const auto questions = questions_in(reason["interrupts"]);
  const bool at_breakpoint = questions.empty() && !reason["next"].elements().empty();
  session.out.note("the run " + (at_breakpoint ? how_to_go_on(thread_id, reason["next"])
                                               : how_to_answer(thread_id, questions)));
}

Result<ExitCode> report_end(Session& session, const std::string& run_id) {
  const auto run = session.api.run(run_id);
  if (!run && run.error().code == Errc::not_found) {
    session.out.note(fmt::format("the run {} is gone", run_id));
    return ExitCode::failed;
  }
  if (!run) return fail(run.error());
  const json::View view(*run);
  const auto status = view["status"].string();
  if (status == "error") {
    note_failure(session, view);
    return ExitCode::failed;
  }
  if (status == "timeout") {
    session.out.note(fmt::format("the run {} ran out of time", run_id));
    return ExitCode::timeout;
  }
  const auto why = session.api.why(run_id);
  if (why && json::View(*why)["reason"]["code"].string() == "person") {
    note_pause(session, json::View(*why)["reason"]);
    return ExitCode::awaiting_human;
  }
  if (status == "success") {
    session.out.note(fmt::format("the run {} succeeded", run_id));
    return ExitCode::ok;
  }
  session.out.note(fmt::format("the run {} is {}", run_id, status == "interrupted" ? "cancelled" : status));
  return ExitCode::failed;
}

Result<ExitCode> start_run(Session& session, const std::string& thread_id, const RunBody& body, bool watch) {
  const auto path = thread_id.empty() ? "/runs" : fmt::format("/threads/{}/runs", percent_encode(thread_id));
  if (watch && !thread_id.empty()) {
    HttpCall call{.method = "POST", .path = path + "/stream", .body = body.to_json()};
    return follow(session, std::move(call), StreamPlace{thread_id, {}});
  }
  const auto run = session.api.post(path, body.to_json());
  if (!run) return fail(run.error());
  const json::View view(*run);
  const auto run_id = view["run_id"].string();
  const auto thread = view["thread_id"].string();
  if (watch) {  // the stream that creates a run does not name its thread, so the run comes first
    session.out.note(fmt::format("run {}  thread {}", run_id, thread));
    return watch_run(session, run_id);
  }
  if (session.out.json()) {
    session.out.line(*run);
  } else {
    session.out.data(format_table({{"run", run_id}, {"thread", thread}}));
  }
  return ExitCode::ok;
}

Result<ExitCode> watch_run(Session& session, const std::string& run_id) {
  const auto run = session.api.run(run_id);
  if (!run) return fail(run.error());
  const StreamPlace place{json::View(*run)["thread_id"].string(), run_id};
  if (json::View(*run)["status"].string() == "pending") note_why_waiting(session, run_id);
  note_for_interrupt(run_id);
  return follow(session, HttpCall{.path = stream_path(place), .headers = {{"Last-Event-ID", "-1"}}}, place);
}

Result<ExitCode> wait_run(Session& session, const std::string& run_id, std::chrono::milliseconds limit) {
  const auto run = session.api.run(run_id);
  if (!run) return fail(run.error());
  if (json::View(*run)["status"].string() == "pending") note_why_waiting(session, run_id);
  note_for_interrupt(run_id);
  const auto path =
      fmt::format("/threads/{}/runs/{}/join", percent_encode(json::View(*run)["thread_id"].string()),
                  percent_encode(run_id));
  const auto begin = std::chrono::steady_clock::now();
  const ResumePolicy policy;
  auto pause = policy.first_pause;
  auto lost_for = std::chrono::milliseconds(0);
  for (;;) {
    auto left = std::chrono::milliseconds(0);
    if (limit.count() > 0) {
      const auto used = std::chrono::steady_clock::now() - begin;
      left = std::max(std::chrono::milliseconds(1),
                      limit - std::chrono::duration_cast<std::chrono::milliseconds>(used));
    }
    const auto result = session.api.get(path, left);
    if (result) {
      if (!result->empty())
        session.out.line(session.out.json() ? *result : session.out.printable(indent_json(*result)));
      return report_end(session, run_id);
    }
    if (result.error().code == Errc::timeout) {
      return fail(Errc::timeout, fmt::format("the run {} has not ended in time; it goes on", run_id));
    }
    if (result.error().code != Errc::unavailable || lost_for >= policy.give_up) return fail(result.error());
    std::this_thread::sleep_for(pause);
    lost_for += pause;
    pause = std::min(pause * 2, policy.longest_pause);
  }
}

}  // namespace dg::cli
