// The commands about threads: list, get and history.
#include <fmt/format.h>

#include "base/json.hpp"
#include "cli/client/client.hpp"
#include "cli/client/command_line.hpp"
#include "cli/client/questions.hpp"
#include "cli/client/session.hpp"

namespace dg::cli {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Result<ExitCode> list(Session& session, const std::string& status, int limit) {
  json::Writer body;
  body.begin_object().key("limit").integer(limit).key("sort_by").string("updated_at");
  body.key("sort_order").string("desc");
  if (!status.empty()) body.key("status").string(status);
  const auto threads = session.api.post("/threads/search", body.end_object().text());
  if (!threads) return fail(threads.error());
  if (session.out.json()) {
    session.out.line(*threads);
    return ExitCode::ok;
  }
  Rows rows{{"THREAD", "STATUS", "GRAPH", "UPDATED"}};
  for (const auto& thread : json::View(*threads).elements()) {
    rows.push_back({thread["thread_id"].string(), thread["status"].string(),
                    thread["metadata"]["graph_id"].string(), thread["updated_at"].string()});
  }
  session.out.data(session.out.printable(format_table(rows)));
  return ExitCode::ok;
}

Result<ExitCode> get(Session& session, const std::string& id) {
  const auto thread = session.api.thread(id);
  if (!thread) return fail(thread.error());
  if (session.out.json()) {
    session.out.line(*thread);
    return ExitCode::ok;
  }
  const json::View view(*thread);
  std::string text = format_table({{"thread", view["thread_id"].string()},
                                   {"status", view["status"].string()},
                                   {"graph", view["metadata"]["graph_id"].string()},
                                   {"created", view["created_at"].string()},
                                   {"updated", view["updated_at"].string()}});
  const auto questions = questions_in(view["interrupts"]);
  for (const auto& question : questions)
    text += fmt::format("waits for an answer to {}\n{}\n", question.id, indent_json(question.value));
  text += fmt::format("values\n{}\n", indent_json(view["values"].raw()));
  session.out.data(session.out.printable(text));
  if (!questions.empty()) session.out.note("answer with: " + answer_command(id, questions));
  return ExitCode::ok;
}

Result<ExitCode> history(Session& session, const std::string& id, int limit) {
  const auto path = fmt::format("/threads/{}/history", percent_encode(id));
  const auto states = session.api.post(path, fmt::format(R"({{"limit":{}}})", limit));
  if (!states) return fail(states.error());
  if (session.out.json()) {
    session.out.line(*states);
    return ExitCode::ok;
  }
  Rows rows{{"CHECKPOINT", "STEP", "SOURCE", "NEXT", "CREATED"}};
  for (const auto& state : json::View(*states).elements()) {
    std::string next;
    for (const auto& node : state["next"].elements()) next += (next.empty() ? "" : ",") + node.string();
    const auto step = state["metadata"]["step"].integer();
    rows.push_back({state["checkpoint"]["checkpoint_id"].string(), step ? std::to_string(*step) : "",
                    state["metadata"]["source"].string(), next, state["created_at"].string()});
  }
  session.out.data(session.out.printable(format_table(rows)));
  return ExitCode::ok;
}

}  // namespace

void add_thread_commands(CLI::App& app, int& exit_code) {
  struct Options {
    std::string id, status;
    int limit = 20;
  };
  auto& threads = group(app, "thread", "Look at threads and their history");
  threads.footer(environment_help);
  const auto add = [&](const char* name, const char* description, auto action) {
    auto o = std::make_shared<Options>();
    auto& command = *threads.add_subcommand(name, description);
    set_action(command, exit_code, [o, action](Session& session) { return action(session, *o); });
    return std::pair(&command, o);
  };
  const auto add_limit = [](CLI::App& command, Options& o) {
    command.add_option("--limit", o.limit, "How many at most")
        ->check(whole_number(1, 1000))
        ->capture_default_str();
  };
  {
    auto [command, o] = add("list", "List threads, last changed first", [](Session& s, const Options& given) {
      return list(s, given.status, given.limit);
    });
    command->add_option("--status", o->status, "Only those with this status")
        ->check(CLI::IsMember({"idle", "busy", "interrupted", "error"}));
    add_limit(*command, *o);
  }
  {
    auto [command, o] = add("get", "Show a thread, its values and its question",
                            [](Session& s, const Options& given) { return get(s, given.id); });
    command->add_option("thread", o->id, "The thread")->required();
  }
  {
    auto [command, o] =
        add("history", "List a thread's checkpoints, newest first",
            [](Session& s, const Options& given) { return history(s, given.id, given.limit); });
    command->add_option("thread", o->id, "The thread")->required();
    add_limit(*command, *o);
  }
}

}  // namespace dg::cli
