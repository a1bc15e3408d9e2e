// The commands that start runs: create, resume, retry and fork.
#include <fmt/format.h>

#include "cli/client/client.hpp"
#include "cli/client/command_line.hpp"
#include "cli/client/questions.hpp"
#include "cli/client/run_commands.hpp"
#include "cli/client/run_follow.hpp"

namespace dg::cli {
namespace {

struct CreateOptions {
  std::string assistant, thread, input, config, context, metadata, multitask;
  double after = 0;
  std::vector<std::string> modes;
  bool watch = false;
};

Status read_into(std::optional<std::string>& field, const char* option, const std::string& given) {
  if (given.empty()) return {};
  auto text = read_json(option, given);
  if (!text) return fail(text.error());
  field = std::move(*text);
  return {};
}

Result<RunBody> body_of(const CreateOptions& options) {
  RunBody body;
  body.assistant_id = options.assistant;
  if (auto read = read_into(body.input, "--input", options.input); !read) return fail(read.error());
  if (auto read = read_into(body.config, "--config", options.config); !read) return fail(read.error());
  if (auto read = read_into(body.context, "--context", options.context); !read) return fail(read.error());
  if (auto read = read_into(body.metadata, "--metadata", options.metadata); !read) return fail(read.error());
  if (options.after > 0) body.after_seconds = options.after;
  if (!options.multitask.empty()) body.multitask_strategy = options.multitask;
  if (!options.modes.empty()) body.stream_modes = options.modes;
  return body;
}

Result<ExitCode> create(Session& session, const CreateOptions& options) {
  auto body = body_of(options);
  if (!body) return fail(body.error());
  std::string thread_id = options.thread;
  if (thread_id.empty()) {
    const auto thread = session.api.post("/threads", R"({"metadata":{}})");
    if (!thread) return fail(thread.error());
    thread_id = json::View(*thread)["thread_id"].string();
  }
  return start_run(session, thread_id, *body, options.watch);
}

// What a thread is stopped at.
struct Stop {
  std::vector<Question> questions;
  std::string state;  // JSON; read where nothing is asked
};

// conflict where somebody works on the thread or nothing is left to do. Its status alone does not tell: a
// failed run may have left questions open.
Result<Stop> stop_of(Session& session, const std::string& thread_id) {
  const auto thread = session.api.thread(thread_id);
  if (!thread) return fail(thread.error());
  const auto status = json::View(*thread)["status"].string();
  if (status == "busy") {
    return fail(Errc::conflict, fmt::format("the thread {} is busy; wait for its run, which `duragraph run "
                                            "list --thread {}` names",
                                            thread_id, thread_id));
  }
  Stop stop{questions_in(json::View(*thread)["interrupts"]), {}};
  if (!stop.questions.empty()) return stop;
  auto state = session.api.get(fmt::format("/threads/{}/state", percent_encode(thread_id)));
  if (!state) return fail(state.error());
  stop.state = std::move(*state);
  if (!json::View(stop.state)["next"].elements().empty()) return stop;
  return fail(Errc::conflict,
              fmt::format("the thread {} is {}: nothing on it waits for an answer or is left to do",
                          thread_id, status));
}

// An answer needs a question: the graph would keep one too many for the next question, which nobody has read.
Status check_answer(const Stop& stop, const std::string& thread_id, bool answered) {
  if (answered != stop.questions.empty()) return {};
  const auto said = answered ? how_to_go_on(thread_id, json::View(stop.state)["next"])
                             : how_to_answer(thread_id, stop.questions);
  return fail(Errc::conflict, fmt::format("the thread {} {}", thread_id, said));
}

Result<ExitCode> resume(Session& session, const std::string& id, const std::optional<std::string>& value,
                        bool watch) {
  std::optional<std::string> command;
  if (value) {
    const auto answer = read_answer("--value", *value);
    if (!answer) return fail(answer.error());
    command = json::Writer().begin_object().key("resume").raw(*answer).end_object().take();
  }
  const auto target = find_target(session.api, id);
  if (!target) return fail(target.error());
  const auto stop = stop_of(session, target->thread_id);
  if (!stop) return fail(stop.error());
  if (const auto fits = check_answer(*stop, target->thread_id, value.has_value()); !fits)
    return fail(fits.error());
  RunBody body;
  if (!target->run.empty()) body = repeat_of(json::View(target->run));
  body.assistant_id = target->assistant_id;
  body.input.reset();
  body.command = std::move(command);
  return start_run(session, target->thread_id, body, watch);
}

// A run on a thread of its own knew nothing from before, so its repetition gets such a thread, too.
Result<ExitCode> retry(Session& session, const std::string& run_id, bool watch) {
  const auto run = session.api.run(run_id);
  if (!run) return fail(run.error());
  const json::View view(*run);
  const bool temporary = view["kwargs"]["temporary"].boolean().value_or(false);
  return start_run(session, temporary ? "" : view["thread_id"].string(), repeat_of(view), watch);
}

Result<ExitCode> fork(Session& session, const std::string& id, const std::string& checkpoint,
                      const std::string& input, bool watch) {
  const auto target = find_target(session.api, id);
  if (!target) return fail(target.error());
  RunBody body;
  if (!target->run.empty()) body = repeat_of(json::View(target->run));
  body.assistant_id = target->assistant_id;
  body.command.reset();
  body.input.reset();
  if (auto read = read_into(body.input, "--input", input); !read) return fail(read.error());
  body.checkpoint_id = checkpoint;
  return start_run(session, target->thread_id, body, watch);
}

constexpr const char* watch_help = "Show the run until it ends";

void add_create(CLI::App& run, int& exit_code) {
  auto o = std::make_shared<CreateOptions>();
  auto& command = *run.add_subcommand("create", "Start a run, on a new thread unless one is named");
  command.add_option("assistant", o->assistant, "An assistant's id, or a graph's name")->required();
  command.add_option("--input", o->input, "The input: JSON, @file, or - for standard input");
  command.add_option("--thread", o->thread, "The thread to run on");
  command.add_flag("--watch", o->watch, watch_help);
  command.add_option("--config", o->config, "JSON, @file or -");
  command.add_option("--context", o->context, "JSON, @file or -");
  command.add_option("--metadata", o->metadata, "JSON, @file or -");
  command.add_option("--after", o->after, "Seconds to wait before the run begins")->check(at_least(0));
  command.add_option("--multitask", o->multitask, "What to do when the thread is busy")
      ->check(CLI::IsMember({"reject", "enqueue", "interrupt", "rollback"}));
  command.add_option("--stream-mode", o->modes, "What the run's stream holds; several by commas")
      ->delimiter(',');
  set_action(command, exit_code, [o](Session& session) { return create(session, *o); });
}

void add_resume(CLI::App& run, int& exit_code) {
  struct Options {
    std::string id, value;
    bool watch = false;
  };
  auto o = std::make_shared<Options>();
  auto& command = *run.add_subcommand(
      "resume", "Answer what a thread asks; without a value, go on where it has stopped and asks nothing");
  command.add_option("thread-or-run", o->id, "The thread, or a run on it")->required();
  // An empty answer is one, too, so the value alone does not tell whether it was given.
  const auto* const value = command.add_option(
      "--value", o->value, "The answer: JSON, or else plain text; to several questions {\"ID\": ANSWER, …}");
  command.add_flag("--watch", o->watch, watch_help);
  set_action(command, exit_code, [o, value](Session& session) {
    return resume(session, o->id, value->count() > 0 ? std::optional(o->value) : std::nullopt, o->watch);
  });
}

void add_retry(CLI::App& run, int& exit_code) {
  struct Options {
    std::string id;
    bool watch = false;
  };
  auto o = std::make_shared<Options>();
  auto& command = *run.add_subcommand("retry", "Start a new run of an earlier run's request");
  command.add_option("run", o->id, "The earlier run")->required();
  command.add_flag("--watch", o->watch, watch_help);
  set_action(command, exit_code, [o](Session& session) { return retry(session, o->id, o->watch); });
}

void add_fork(CLI::App& run, int& exit_code) {
  struct Options {
    std::string id, checkpoint, input;
    bool watch = false;
  };
  auto o = std::make_shared<Options>();
  auto& command = *run.add_subcommand("fork", "Start a run from an earlier checkpoint of a thread");
  command.add_option("run-or-thread", o->id, "The thread, or a run on it")->required();
  command.add_option("--checkpoint", o->checkpoint, "The checkpoint; `thread history` lists them")
      ->required();
  command.add_option("--input", o->input, "New input: JSON, @file or -");
  command.add_flag("--watch", o->watch, watch_help);
  set_action(command, exit_code,
             [o](Session& session) { return fork(session, o->id, o->checkpoint, o->input, o->watch); });
}

}  // namespace

void add_run_start_commands(CLI::App& run, int& exit_code) {
  add_create(run, exit_code);
  add_resume(run, exit_code);
  add_retry(run, exit_code);
  add_fork(run, exit_code);
}

}  // namespace dg::cli
