// What a simulated worker executes: steps with writes, frames, memory items and checkpoints.
#include "app/run_config.hpp"
#include "base/json.hpp"
#include "simulation/world/worker.hpp"

namespace dg::simulation {
namespace {

constexpr Duration read_again = std::chrono::milliseconds(200);  // after a read that failed
constexpr std::size_t room = 6;  // unacknowledged messages before the graph waits

Task<void> answer_state(app::App& app, std::shared_ptr<Wire> wire, store::CheckpointKey key,
                        std::function<void(const Worker::Tuple&)> answer) {
  auto tuple = co_await app.context.store.checkpoint(key.thread_id, key.ns, key.checkpoint_id);
  wire->to_peer([answer = std::move(answer), found = std::move(tuple)] { answer(found); });
}

// Checkpoint ids sort by time, as the library's do.
std::string checkpoint_id(Stage& stage, std::int64_t serial) {
  return fmt::format("{:014}-{:08}", stage.elapsed().count(), serial);
}

std::string task_of(const std::string& owner, std::int64_t step) {
  return owner + ":" + std::to_string(step);
}

}  // namespace

std::string GraphPlan::to_json() const {
  return fmt::format(R"({{"steps":{},"pause_at":{},"fail_at":{},"hang_at":{},"step_us":{},"stubborn":{}}})",
                     steps, pause_at, fail_at, hang_at, step_time.count(), stubborn);
}

GraphPlan GraphPlan::from_json(const std::string& text) {
  const json::View in(text);
  const auto number = [&](const char* key) { return in[key].integer().value_or(0); };
  return {number("steps"),   number("pause_at"),          number("fail_at"),
          number("hang_at"), Duration(number("step_us")), in["stubborn"].boolean().value_or(false)};
}

std::string Worker::tag(const Exec& exec, std::int64_t step) {
  return fmt::format(R"({{"owner":"{}","tag":{{"epoch":{},"n":{},"serial":{},"step":{}}},"run_id":"{}"}})",
                     exec->key.first, exec->key.second, exec->last_n + 1, ++serial_, step,
                     exec->is_operation ? "" : exec->key.first);
}

void Worker::say(
    const Exec& exec,
    std::variant<app::FramesSaid, app::CheckpointSaid, app::WritesSaid, app::ItemsSaid, app::CompleteSaid>
        body) {
  app::OwnerMessage message;
  message.owner = exec->key.first;
  message.epoch = exec->key.second;
  message.n = ++exec->last_n;
  message.body = std::move(body);
  oracle_.said(exec->key, message.n, serial_, std::holds_alternative<app::CompleteSaid>(message.body));
  exec->unacknowledged.push_back(message);
  if (welcome_) send(message);
}

void Worker::send(const app::OwnerMessage& message) {
  wire_->delay_to_server(std::exchange(next_word_late_, Duration{}));
  wire_->to_server([wire = wire_, message](Server& server) { server.hear(wire, message); });
  if (auto fn = std::exchange(after_next_word_, nullptr))
    stage_.after(dice_.between(Duration(0), Duration(500)), std::move(fn));
}

void Worker::read_state(const Exec& exec) {
  exec->reading = true;
  if (!welcome_) return;
  store::CheckpointKey key{exec->thread_id, "", ""};
  if (!exec->is_operation)
    key.checkpoint_id =
        json::View(app::config_for_attempt(exec->run))["configurable"]["checkpoint_id"].string();
  wire_->to_server([this, life = life_, wire = wire_, exec, key](Server& server) {
    server.run("get_tuple", answer_state(server.app(), wire, key, [this, life, exec](const auto& tuple) {
                 if (life != life_) return;
                 act([this, exec, tuple] { take_state(exec, tuple); });
               }));
  });
}

void Worker::take_state(const Exec& exec, const Tuple& tuple) {
  if (exec->dead || !exec->reading) return;
  if (tuple) {
    exec->reading = false;
    return begin(exec, *tuple);
  }
  stage_.after(read_again, [this, life = life_, exec] {
    if (life == life_ && exec->reading) act([this, exec] { read_state(exec); });
  });
}

void Worker::begin(const Exec& exec, const std::optional<store::CheckpointTuple>& tuple) {
  if (exec->completed) return;
  if (tuple) {
    const json::View metadata(tuple->metadata);
    exec->head = tuple->key.checkpoint_id;
    for (const auto& value : tuple->values) exec->log = value.value.data;
    const bool own = !exec->is_operation && metadata["run_id"].string() == exec->key.first;
    if (own && bug_ != Bug::step_repeated) exec->step = metadata["tag"]["step"].integer().value_or(0);
    for (const auto& write : tuple->writes) exec->done_tasks.push_back(write.task_id);
    if (!own && !exec->is_operation && !json::View(exec->run.request.command).is_null()) exec->step = 0;
  }
  if (exec->is_operation) {
    save(exec, 0);
    exec->wait_for_n = exec->last_n;
    return;
  }
  if (exec->step < 0) save(exec, 0);
  go_on(exec);
}

void Worker::go_on(const Exec& exec) {
  if (exec->completed || exec->wait_for_n != 0) return;
  if (exec->unacknowledged.size() >= room ||
      (exec->run.request.durability == domain::Durability::sync && !exec->unacknowledged.empty())) {
    exec->wait_for_n = exec->last_n;
    return;
  }
  if (exec->step >= exec->plan.steps) return complete(exec, app::Outcome::success);
  if (exec->step + 1 == exec->plan.fail_at) return complete(exec, app::Outcome::error);
  if (exec->step + 1 == exec->plan.pause_at) return ask_person(exec, exec->step + 1);
  if (exec->step + 1 == exec->plan.hang_at) return;
  later(dice_.between(exec->plan.step_time / 2, exec->plan.step_time * 2), exec,
        [this, exec] { do_step(exec); });
}

// A task whose writes are stored is not executed again: its checkpoint follows from them.
void Worker::do_step(const Exec& exec) {
  if (exec->completed) return;
  const auto step = exec->step + 1;
  const auto task = task_of(exec->key.first, step);
  if (std::ranges::find(exec->done_tasks, task) == exec->done_tasks.end()) {
    store::NewWrites writes{{"", "", exec->head}, task, "", {{0, "log", {"json", tag(exec, step)}}}, "null"};
    say(exec, app::WritesSaid{std::move(writes)});
  }
  app::FramesSaid frames;
  const auto text = tag(exec, step);
  for (auto left = 1 + dice_.below(3); left > 0; --left)
    frames.frames.push_back({left == 1 ? "values" : "messages", text});
  say(exec, std::move(frames));
  if (dice_.percent(20)) {
    const auto value = tag(exec, step);
    say(exec, app::ItemsSaid{{{{"memory", exec->key.first}, std::to_string(step), value}}});
  }
  save(exec, step);
  go_on(exec);
}

void Worker::save(const Exec& exec, std::int64_t step) {
  app::CheckpointSaid said;
  auto& c = said.checkpoint;
  c.metadata = tag(exec, step);
  c.key.checkpoint_id = checkpoint_id(stage_, serial_);
  c.parent_id = exec->head;
  c.checkpoint = {"json", "{}"};
  const auto entry = "\"" + task_of(exec->key.first, step) + "\"";
  exec->log =
      exec->log == "[]" ? "[" + entry + "]" : exec->log.substr(0, exec->log.size() - 1) + "," + entry + "]";
  c.channel_versions = R"({"log":")" + c.key.checkpoint_id + R"("})";
  c.values.push_back({"log", c.key.checkpoint_id, {"json", exec->log}});
  const bool more = !exec->is_operation && step < exec->plan.steps;
  c.projection =
      R"({"values":{"last":)" + entry + R"(},"next":[)" + (more ? R"("node")" : "") + R"(],"tasks":[]})";
  exec->head = c.key.checkpoint_id;
  exec->step = step;
  say(exec, std::move(said));
}

void Worker::ask_person(const Exec& exec, std::int64_t step) {
  store::NewWrites writes{{"", "", exec->head},
                          task_of(exec->key.first, step),
                          "",
                          {{-3, "__interrupt__", {"json", tag(exec, step)}}},
                          R"({"interrupts":[{"value":"go on?","id":"1"}]})"};
  say(exec, app::WritesSaid{std::move(writes)});
  complete(exec, app::Outcome::interrupted);
}

void Worker::complete(const Exec& exec, app::Outcome outcome) {
  if (exec->completed) return;
  exec->completed = true;
  app::CompleteSaid said{outcome, {}};
  if (outcome == app::Outcome::error) said.error = {"ValueError", "no"};
  say(exec, std::move(said));
}

}  // namespace dg::simulation
