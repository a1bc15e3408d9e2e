// The commands about runs that exist: watch, wait, cancel, list and get.
#include "cli/client/run_commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "cli/client/client.hpp"
#include "cli/client/command_line.hpp"
#include "cli/client/run_follow.hpp"

namespace dg::cli {
namespace {

// Its status does not tell: that of a run that waits for a person, which can be cancelled, is "success", too.
bool is_over(json::View run) {
  const auto state = run["state"].string();
  return state != "queued" && state != "in_progress" && state != "requires_action";
}

void show_cancelled(Session& session, const std::string& run_id, const std::string& status,
                    std::optional<bool> cancelled) {
  if (!session.out.json()) return session.out.data(format_table({{"run", run_id}, {"status", status}}));
  json::Writer out;
  out.begin_object().key("run_id").string(run_id).key("status").string(status).key("cancelled");
  if (cancelled) {
    out.boolean(*cancelled);
  } else {
    out.null();
  }
  session.out.line(out.end_object().text());
}

// The run had ended by itself before anybody could stop it.
ExitCode too_late(Session& session, const std::string& run_id, const std::string& status) {
  show_cancelled(session, run_id, status, false);
  session.out.note(fmt::format("the run {} was over already; nothing was cancelled", run_id));
  return ExitCode::conflict;
}

Result<ExitCode> cancel(Session& session, const std::string& run_id, bool rollback, bool wait) {
  const auto run = session.api.run(run_id);
  if (!run) return fail(run.error());
  if (const json::View before(*run); is_over(before))
    return too_late(session, run_id, before["status"].string());
  const auto path = fmt::format("/threads/{}/runs/{}/cancel?wait={}&action={}",
                                percent_encode(json::View(*run)["thread_id"].string()),
                                percent_encode(run_id), wait ? 1 : 0, rollback ? "rollback" : "interrupt");
  if (auto answer = session.api.post(path, ""); !answer) return fail(answer.error());
  if (!wait) {
    show_cancelled(session, run_id, "cancelling", std::nullopt);
    return ExitCode::ok;
  }
  const auto after = session.api.run(run_id);
  if (!after && after.error().code != Errc::not_found) return fail(after.error());
  const auto status = after ? json::View(*after)["status"].string() : "gone";
  if (after && json::View(*after)["state"].string() != "cancelled") return too_late(session, run_id, status);
  show_cancelled(session, run_id, status, true);
  return ExitCode::ok;
}

Result<ExitCode> list(Session& session, const std::string& thread, const std::string& status, int limit) {
  auto path = fmt::format("?limit={}", limit);
  if (!status.empty()) path += "&status=" + percent_encode(status);
  path = (thread.empty() ? "/api/v1/runs" : "/threads/" + percent_encode(thread) + "/runs") + path;
  const auto answer = session.api.get(path);
  if (!answer) return fail(answer.error());
  const json::View body(*answer);
  const json::View runs = body.is_object() ? body["runs"] : body;
  if (session.out.json()) {
    session.out.line(runs.raw());
    return ExitCode::ok;
  }
  std::vector<std::vector<std::string>> rows{{"RUN", "THREAD", "STATUS", "ASSISTANT", "CREATED"}};
  for (const auto& run : runs.elements()) {
    rows.push_back({run["run_id"].string(), run["thread_id"].string(), run["status"].string(),
                    run["assistant_id"].string(), run["created_at"].string()});
  }
  session.out.data(format_table(rows));
  return ExitCode::ok;
}

// The run's error and what the reason holds beside its message, as far as neither stands there already.
void add_details(std::vector<std::vector<std::string>>& rows, json::View run, json::View reason) {
  if (const auto error = run["error"]; error.is_object()) {
    auto text = fmt::format("{}: {}", error["error"].string(), error["message"].string());
    if (!reason["message"].string().contains(text)) rows.push_back({"error", std::move(text)});
  }
  for (const auto& [key, value] : reason.members()) {
    constexpr std::array shown{"code", "message", "thread_id"};
    if (std::ranges::find(shown, key) != shown.end() || value.is_null() || value.raw() == "[]") continue;
    rows.push_back({key, value.is_string() ? value.string() : std::string(value.raw())});
  }
}

Result<ExitCode> get(Session& session, const std::string& run_id) {
  const auto run = session.api.run(run_id);
  if (!run) return fail(run.error());
  const auto why = session.api.why(run_id);
  if (!why) return fail(why.error());
  const json::View view(*run);
  const auto reason = json::View(*why)["reason"];
  if (session.out.json()) {
    const auto extra = json::Writer().begin_object().key("why").raw(reason.raw()).end_object().take();
    session.out.line(json::merge(view, json::View(extra)));
    return ExitCode::ok;
  }
  std::vector<std::vector<std::string>> rows{
      {"run", run_id},
      {"thread", view["thread_id"].string()},
      {"assistant", view["assistant_id"].string()},
      {"status", view["status"].string()},
      {"why", fmt::format("{}: {}", reason["code"].string(), reason["message"].string())},
      {"created", view["created_at"].string()},
      {"updated", view["updated_at"].string()}};
  add_details(rows, view, reason);
  session.out.data(session.out.printable(format_table(rows)));
  if (reason["code"].string() == "person") note_pause(session, reason);
  return ExitCode::ok;
}

void add_watch(CLI::App& run, int& exit_code) {
  auto id = std::make_shared<std::string>();
  auto& command = *run.add_subcommand("watch", "Show a run from its beginning until it ends");
  command.add_option("run", *id, "The run")->required();
  set_action(command, exit_code, [id](Session& session) { return watch_run(session, *id); });
}

void add_wait(CLI::App& run, int& exit_code) {
  struct Options {
    std::string id;
    double timeout = 0;
  };
  auto o = std::make_shared<Options>();
  auto& command = *run.add_subcommand("wait", "Wait for a run's end and print its result");
  command.add_option("run", o->id, "The run")->required();
  command.add_option("--timeout", o->timeout, "Seconds to wait at most")->check(at_least(0));
  set_action(command, exit_code, [o](Session& session) {
    return wait_run(session, o->id, std::chrono::milliseconds(static_cast<std::int64_t>(o->timeout * 1000)));
  });
}

void add_cancel(CLI::App& run, int& exit_code) {
  struct Options {
    std::string id;
    bool rollback = false, no_wait = false;
  };
  auto o = std::make_shared<Options>();
  auto& command = *run.add_subcommand("cancel", "Stop a run");
  command.add_option("run", o->id, "The run")->required();
  command.add_flag("--rollback", o->rollback, "Delete the run and its checkpoints too");
  command.add_flag("--no-wait", o->no_wait, "Do not wait until it has stopped");
  set_action(command, exit_code,
             [o](Session& session) { return cancel(session, o->id, o->rollback, !o->no_wait); });
}

void add_list(CLI::App& run, int& exit_code) {
  struct Options {
    std::string thread, status;
    int limit = 20;
  };
  auto o = std::make_shared<Options>();
  auto& command = *run.add_subcommand("list", "List runs, newest first");
  command.add_option("--thread", o->thread, "Only those of this thread");
  command.add_option("--status", o->status, "Only those with this status")
      ->check(CLI::IsMember({"pending", "running", "error", "success", "timeout", "interrupted"}));
  command.add_option("--limit", o->limit, "How many at most")
      ->check(whole_number(1, 1000))
      ->capture_default_str();
  set_action(command, exit_code,
             [o](Session& session) { return list(session, o->thread, o->status, o->limit); });
}

void add_get(CLI::App& run, int& exit_code) {
  auto id = std::make_shared<std::string>();
  auto& command = *run.add_subcommand("get", "Show a run's status and what it waits for");
  command.add_option("run", *id, "The run")->required();
  set_action(command, exit_code, [id](Session& session) { return get(session, *id); });
}

}  // namespace

void add_run_commands(CLI::App& app, int& exit_code) {
  auto& run = group(app, "run", "Start, watch and manage runs");
  run.footer(environment_help);
  add_run_start_commands(run, exit_code);
  add_watch(run, exit_code);
  add_wait(run, exit_code);
  add_cancel(run, exit_code);
  add_list(run, exit_code);
  add_get(run, exit_code);
}

}  // namespace dg::cli
