#include "simulation/world/clients.hpp"

#include <algorithm>
#include <array>

#include "base/json.hpp"
#include "simulation/world/worker.hpp"

namespace dg::simulation {
namespace {

using app::the_server;

constexpr int looks_allowed = 4;

GraphPlan make_plan(Dice& dice) {
  GraphPlan plan;
  plan.steps = 1 + static_cast<std::int64_t>(dice.below(5));
  plan.step_time = dice.percent(80) ? dice.between(milliseconds(1), milliseconds(400))
                                    : dice.between(milliseconds(500), seconds(4));
  if (dice.percent(20)) plan.pause_at = 1 + static_cast<std::int64_t>(dice.below(4));
  if (dice.percent(10)) plan.fail_at = 1 + static_cast<std::int64_t>(dice.below(4));
  plan.stubborn = dice.percent(25);
  // Some, by what was drawn anyway.
  if (plan.step_time.count() % 32 == 0) plan.hang_at = 1 + plan.step_time.count() / 32 % 4;
  return plan;
}

domain::CancelAction cancel_action(Dice& dice) {
  return dice.percent(70) ? domain::CancelAction::interrupt : domain::CancelAction::rollback;
}

}  // namespace

Clients::Clients(Stage& stage, Fleet& fleet, Oracle& oracle, int threads)
    : stage_(stage), fleet_(fleet), oracle_(oracle) {
  for (int i = 0; i < threads; ++i)
    threads_.push_back(fmt::format("00000000-0000-4000-8000-00000000000{}", i));
}

std::string Clients::any_run(Dice& dice) const {
  if (runs_.empty()) return "";
  // Mostly one of the newest, which may still be active.
  const auto last = runs_.size() - 1;
  return runs_[dice.percent(70) ? last - dice.below(std::min<std::size_t>(3, runs_.size()))
                                : dice.below(runs_.size())];
}

std::string Clients::any_thread(Dice& dice) const {
  return threads_[dice.below(threads_.size())];
}

// The server closes the connection behind its answer.
Task<void> Clients::serve(Task<void> task, std::shared_ptr<Wire> wire) {
  co_await std::move(task);
  if (wire->open()) wire->close_from_server(1000);
}

void Clients::ask(std::function<Task<void>(app::App&, std::shared_ptr<Wire>)> task) {
  auto wire = fleet_.connect();
  if (!wire) return;  // the client gives up; nothing was promised
  wires_.push_back(wire);
  wire->to_server([wire, task = std::move(task)](Server& server) {
    server.run("client", serve(task(server.app(), wire), wire));
  });
}

void Clients::perform(const Entry& entry) {
  Dice dice(entry.dice);
  switch (entry.act) {
    case Act::create:
      return create(dice, "null", "null", any_thread(dice));
    case Act::create_many:
      return create_many(dice);
    case Act::resume:
      return create(dice, R"({"resume":"yes"})", "null", any_thread(dice));
    case Act::fork:
      return fork(dice);
    case Act::cancel:
      return cancel(dice);
    case Act::cancel_thread:
    case Act::remove_thread:
    case Act::copy_thread:
    case Act::patch_thread:
    case Act::update_state:
      return act_on_thread(entry.act, dice);
    case Act::remove_run:
    case Act::look_at_run:
      return act_on_run(entry.act, dice);
    case Act::follow:
      if (const auto run = any_run(dice); !run.empty()) follow(run, dice);
      return;
    default:
      return;
  }
}

app::RunOrder Clients::order(Dice& dice, const std::string& tag) {
  app::RunOrder out;
  out.assistant = dice.percent(80) ? "agent" : "planner";
  out.create_thread = true;
  out.metadata = R"({"tag":")" + tag + R"("})";
  out.request.input = make_plan(dice).to_json();
  constexpr std::array strategies{domain::MultitaskStrategy::enqueue, domain::MultitaskStrategy::enqueue,
                                  domain::MultitaskStrategy::reject, domain::MultitaskStrategy::interrupt,
                                  domain::MultitaskStrategy::rollback};
  out.request.multitask = strategies[dice.below(strategies.size())];
  if (dice.percent(30)) out.request.durability = domain::Durability::sync;
  if (dice.percent(15)) out.after = dice.between(milliseconds(1), seconds(6));
  out.request.stream_resumable = dice.percent(50);
  return out;
}

void Clients::create(Dice dice, std::string command, std::string checkpoint, std::string thread) {
  const auto tag = "request-" + std::to_string(++requests_);
  auto order = this->order(dice, tag);
  order.request.command = std::move(command);
  order.checkpoint = std::move(checkpoint);
  if (dice.percent(10) && order.request.command == "null" && order.checkpoint == "null") {
    order.request.temporary = dice.percent(50);
  } else {
    order.thread_id = std::move(thread);
  }
  ask([this, order, tag, dice](app::App& app, std::shared_ptr<Wire> wire) -> Task<void> {
    return [](Clients& self, app::App& use, std::shared_ptr<Wire> back, app::RunOrder wanted,
              std::string name, Dice rest) -> Task<void> {
      const auto run = co_await use.runs.create(the_server, std::move(wanted));
      if (run) back->to_peer([&self, id = run->id, name, rest] { self.created(id, name, rest); });
    }(*this, app, std::move(wire), order, tag, dice);
  });
}

void Clients::created(const std::string& run_id, const std::string& tag, Dice dice) {
  stage_.trace("{} is acknowledged as {}", tag, run_id);
  oracle_.told_created(run_id, tag);
  runs_.push_back(run_id);
  if (dice.percent(70)) follow(run_id, Dice(dice.next()));
  act_on_run(Act::look_at_run, Dice(0));
}

void Clients::create_many(Dice dice) {
  std::vector<app::RunOrder> orders;
  std::vector<std::string> tags;
  for (auto left = 2 + dice.below(2); left > 0; --left) {
    tags.push_back("request-" + std::to_string(++requests_));
    orders.push_back(order(dice, tags.back()));
  }
  ask([this, orders, tags](app::App& app, std::shared_ptr<Wire> wire) -> Task<void> {
    return [](Clients& self, app::App& use, std::shared_ptr<Wire> back, std::vector<app::RunOrder> wanted,
              std::vector<std::string> names) -> Task<void> {
      const auto runs = co_await use.runs.create_all(the_server, std::move(wanted));
      if (!runs) co_return;
      for (std::size_t i = 0; i < runs->size(); ++i)
        back->to_peer(
            [&self, id = (*runs)[i].id, name = names[i]] { self.created(id, name, Dice(id.size())); });
    }(*this, app, std::move(wire), orders, tags);
  });
}

void Clients::fork(Dice dice) {
  const auto thread = any_thread(dice);
  ask([this, thread, dice](app::App& app, std::shared_ptr<Wire> wire) -> Task<void> {
    return [](Clients& self, app::App& use, std::shared_ptr<Wire> back, std::string where,
              Dice rest) -> Task<void> {
      app::HistoryQuery query;
      query.thread_id = where;
      const auto states = co_await use.threads.history(the_server, std::move(query));
      if (!states || states->empty()) co_return;
      const auto& state = (*states)[rest.below(states->size())];
      const auto place = R"({"checkpoint_id":")" + state.key.checkpoint_id + R"(","checkpoint_ns":""})";
      back->to_peer([&self, place, where, rest] { self.create(rest, "null", place, where); });
    }(*this, app, std::move(wire), thread, dice);
  });
}

void Clients::cancel(Dice dice) {
  const auto run = any_run(dice);
  if (run.empty()) return;
  ask([this, run, action = cancel_action(dice)](app::App& app, std::shared_ptr<Wire> wire) -> Task<void> {
    return [](Clients& self, app::App& use, std::shared_ptr<Wire> back, std::string id,
              domain::CancelAction how) -> Task<void> {
      const auto done = co_await use.runs.cancel(the_server, id, how);
      back->to_peer(
          [&self, id, ok = done.has_value(), missing = !done && done.error().code == Errc::not_found] {
            self.stage_.trace("the cancel of {} is answered: {}", id, ok);
            if (ok) self.oracle_.told_cancelled(id);
            if (missing) self.oracle_.told_missing(id);
          });
    }(*this, app, std::move(wire), run, action);
  });
}

void Clients::act_on_thread(Act act, Dice dice) {
  const auto thread = any_thread(dice);
  ask([act, thread, dice](app::App& app, std::shared_ptr<Wire>) -> Task<void> {
    return [](app::App& use, Act what, std::string id, Dice rest) -> Task<void> {
      if (what == Act::cancel_thread) {
        co_await use.runs.cancel_many(the_server, {id, {}, {}}, cancel_action(rest));
      } else if (what == Act::remove_thread) {
        co_await use.threads.remove(the_server, id);
      } else if (what == Act::copy_thread) {
        co_await use.threads.copy(the_server, id);
      } else if (what == Act::patch_thread) {
        co_await use.threads.patch(the_server, id, R"({"patched":true})");
      } else {
        app::StateUpdate update;
        update.values = R"({"by":"a person"})";
        co_await use.threads.update_state(the_server, id, std::move(update));
      }
    }(app, act, thread, dice);
  });
}

void Clients::act_on_run(Act act, Dice dice) {
  const auto run = act == Act::look_at_run && !runs_.empty() ? runs_.back() : any_run(dice);
  if (run.empty()) return;
  ask([this, act, run](app::App& app, std::shared_ptr<Wire> wire) -> Task<void> {
    return
        [](Clients& self, app::App& use, std::shared_ptr<Wire> back, Act what, std::string id) -> Task<void> {
          if (what == Act::remove_run) {
            co_await use.runs.remove(the_server, id);
            co_return;
          }
          const auto found = co_await use.runs.get(the_server, id);
          if (!found && found.error().code == Errc::not_found)
            back->to_peer([&self, id] { self.oracle_.told_missing(id); });
          co_await use.runs.why(the_server, id);
        }(*this, app, std::move(wire), act, run);
  });
}

// --- readers ------------------------------------------------------------------------------------

void Clients::follow(const std::string& run_id, Dice dice) {
  auto reader = std::make_shared<Reader>();
  reader->run_id = run_id;
  reader->joins = dice.percent(30);
  reader->slow = dice.percent(15);
  readers_.push_back(reader);
  attach(reader);
}

void Clients::attach(const ReaderPtr& reader) {
  if (reader->done) return;
  const auto again = [this, reader] { attach(reader); };
  reader->wire = fleet_.connect();
  if (!reader->wire) {
    stage_.after(milliseconds(300), again);
    return;
  }
  wires_.push_back(reader->wire);
  // The reader owns the wire, which owns this.
  reader->wire->on_peer_closed = [this, held = std::weak_ptr(reader)](std::uint16_t) {
    const auto reader = held.lock();
    if (!reader) return;
    reader->served = false;
    reader->wire = nullptr;
    stage_.after(milliseconds(20), [this, reader] { attach(reader); });
  };
  reader->wire->to_server([this, reader, wire = reader->wire](Server& server) {
    reader->served = true;
    reader->given = reader->next;
    auto task = reader->joins ? join(server.app(), wire, reader) : stream(server.app(), wire, reader);
    server.run("reader", serve(std::move(task), wire));
  });
}

Task<void> Clients::stream(app::App& app, std::shared_ptr<Wire> wire, ReaderPtr reader) {
  auto& timers = app.context.env.timers;
  app::Streams::Reader frames(app.streams, reader->run_id, reader->next);
  while (wire->open()) {
    const auto page = co_await frames.next(timers.now() + seconds(20));
    const bool missing = !page && page.error().code == Errc::not_found;
    if (!page && !missing) break;
    if (missing || page->ended) {
      wire->to_peer([this, reader, missing, wire] {
        if (wire != reader->wire) return;
        reader->done = true;
        if (missing) return oracle_.told_missing(reader->run_id);
        oracle_.told_end(reader->run_id, reader->next);
      });
      co_return;
    }
    if (page->frames.empty()) continue;
    reader->given = frames.position();
    wire->to_peer([this, reader, wire, frames = page->frames] {
      if (wire != reader->wire) return;
      for (const auto& frame : frames)
        oracle_.told_frame(reader->run_id, reader->next++, frame.number, frame.frame);
    });
    if (!reader->slow) continue;
    reader->resting = true;
    co_await sleep_for(timers, milliseconds(700));
    reader->resting = false;
  }
}

Task<void> Clients::join(app::App& app, std::shared_ptr<Wire> wire, ReaderPtr reader) {
  auto& timers = app.context.env.timers;
  while (wire->open()) {
    const auto result = co_await app.runs.join(reader->run_id, timers.now() + seconds(20));
    if (!result && result.error().code == Errc::timeout) continue;
    const bool missing = !result && result.error().code == Errc::not_found;
    if (!result && !missing) break;
    wire->to_peer([this, reader, missing, wire] {
      if (wire != reader->wire) return;
      reader->done = true;
      if (missing) return oracle_.told_missing(reader->run_id);
      oracle_.told_over(reader->run_id);
    });
    co_return;
  }
}

void Clients::cut_connections() {
  for (const auto& weak : std::exchange(wires_, {}))
    if (const auto wire = weak.lock()) wire->cut();
}

void Clients::check_waiting() {
  std::erase_if(wires_, [](const auto& wire) { return wire.expired(); });
  std::erase_if(readers_, [](const auto& reader) { return reader->done; });
  for (const auto& reader : readers_) {
    const bool over = !oracle_.active(reader->run_id);
    const bool more = !reader->joins && oracle_.frame_count(reader->run_id) > reader->given;
    const bool moved = std::exchange(reader->seen, reader->given) != reader->given;
    const bool waits = reader->served && !reader->resting && !reader->done && (over || more) && !moved;
    const bool calm = stage_.now() >= stage_.calm_since();
    reader->overdue = waits && calm ? reader->overdue + 1 : 0;
    if (reader->overdue > looks_allowed)
      stage_.fail("G5", fmt::format("a {} of {} has waited {} s and is not told that {}",
                                    reader->joins ? "waiter" : "reader", reader->run_id, looks_allowed,
                                    over ? "it is over" : "there are frames"));
  }
}

bool Clients::at_rest() const {
  return std::ranges::all_of(readers_, [](const auto& reader) { return reader->done; });
}

}  // namespace dg::simulation
