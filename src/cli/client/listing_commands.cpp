// assistant list, worker list and version.
#include <fmt/format.h>

#include <set>

#include "base/json.hpp"
#include "cli/client/client.hpp"
#include "cli/client/command_line.hpp"
#include "cli/client/session.hpp"

namespace dg::cli {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Result<ExitCode> list_assistants(Session& session, int limit) {
  const auto found = session.api.post("/assistants/search", fmt::format(R"({{"limit":{}}})", limit));
  if (!found) return fail(found.error());
  if (session.out.json()) {
    session.out.line(*found);
    return ExitCode::ok;
  }
  Rows rows{{"ASSISTANT", "GRAPH", "NAME", "VERSION", "UPDATED"}};
  for (const auto& assistant : json::View(*found).elements()) {
    rows.push_back({assistant["assistant_id"].string(), assistant["graph_id"].string(),
                    assistant["name"].string(), std::string(assistant["version"].raw()),
                    assistant["updated_at"].string()});
  }
  session.out.data(session.out.printable(format_table(rows)));
  return ExitCode::ok;
}

std::string graph_error(json::View graph) {
  const auto error = graph["error"];
  const auto file = error["file"].string();
  const auto line = error["line"].integer();
  const auto place = file.empty() ? "" : line ? fmt::format("{}:{}: ", file, *line) : file + ": ";
  std::string text = fmt::format("graph {} cannot be imported: {}{}: {}\n", graph["graph_id"].string(), place,
                                 error["error"].string(), error["message"].string());
  if (auto traceback = error["traceback"].string(); !traceback.empty()) {
    text += traceback;
    if (!text.ends_with('\n')) text += '\n';
  }
  return text;
}

Result<ExitCode> list_workers(Session& session) {
  const auto answer = session.api.get("/api/v1/workers");
  if (!answer) return fail(answer.error());
  const json::View workers = json::View(*answer)["workers"];
  if (session.out.json()) {
    session.out.line(workers.raw());
    return ExitCode::ok;
  }
  Rows rows{{"WORKER", "SESSION", "LANGUAGE", "SLOTS", "RUNNING", "STATE", "REVISION", "GRAPHS"}};
  std::set<std::string> errors;  // workers of one project report the same ones
  for (const auto& worker : workers.elements()) {
    std::string graphs;
    for (const auto& graph : worker["graphs"].elements()) {
      const bool broken = !graph["error"].is_null();
      graphs += (graphs.empty() ? "" : ",") + graph["graph_id"].string() + (broken ? " (broken)" : "");
      if (broken) errors.insert(graph_error(graph));
    }
    rows.push_back({worker["name"].string(), worker["session_id"].string(), worker["language"].string(),
                    std::string(worker["slots"].raw()), std::string(worker["running"].raw()),
                    worker["draining"].boolean().value_or(false) ? "draining" : "serving",
                    worker["revision"].string(), graphs});
  }
  session.out.data(session.out.printable(format_table(rows)));
  for (const auto& error : errors) session.out.data(session.out.printable("\n" + error));
  return ExitCode::ok;
}

Result<ExitCode> version(Session& session) {
  const auto info = session.api.get("/info", std::chrono::seconds(2));
  const auto server = info ? json::View(*info)["version"].string() : std::string();
  if (session.out.json()) {
    json::Writer out;
    out.begin_object().key("version").string(program_version()).key("server");
    out.optional_string(server.empty() ? std::nullopt : std::optional(server)).end_object();
    session.out.line(out.text());
  } else {
    session.out.line(fmt::format("duragraph {}", program_version()));
    if (!server.empty())
      session.out.line(fmt::format("server {} at {}", server, session.api.http().base_url()));
  }
  // This program's own version is known all the same.
  if (!info) {
    const bool silent = info.error().code == Errc::unavailable || info.error().code == Errc::timeout;
    session.out.note(silent ? fmt::format("no server answers at {}", session.api.http().base_url())
                            : "the server's version is not known: " + info.error().message);
  }
  return ExitCode::ok;
}

}  // namespace

void add_listing_commands(CLI::App& app, int& exit_code) {
  auto limit = std::make_shared<int>(100);
  auto& assistants = *group(app, "assistant", "Look at assistants")
                          .footer(environment_help)
                          ->add_subcommand("list", "List assistants");
  assistants.add_option("--limit", *limit, "How many at most")
      ->check(whole_number(1, 1000))
      ->capture_default_str();
  set_action(assistants, exit_code, [limit](Session& session) { return list_assistants(session, *limit); });

  auto& workers = *group(app, "worker", "Workers: processes that execute graphs")
                       .add_subcommand("list", "List the workers, and the graphs that they cannot import");
  set_action(workers, exit_code, list_workers);

  auto& versions = *app.add_subcommand("version", "Print the versions of this program and of the server");
  set_action(versions, exit_code, version);
}

}  // namespace dg::cli
