// Clients: they ask for things, may lose the connection before the answer, keep a journal of what was
// acknowledged, and follow runs across reconnects.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "simulation/oracle/oracle.hpp"
#include "simulation/world/fleet.hpp"
#include "simulation/world/scenario.hpp"

namespace dg::simulation {

class Clients {
 public:
  Clients(Stage& stage, Fleet& fleet, Oracle& oracle, int threads);

  void perform(const Entry& entry);
  void cut_connections();
  // Looks, about once a second, whether whoever waits was told what there is to tell.
  void check_waiting();
  // Nobody waits for an answer any more.
  bool at_rest() const;

 private:
  // Somebody who streams a run, or waits for its result.
  struct Reader {
    std::string run_id;
    bool joins = false;      // waits for the result instead of streaming
    bool slow = false;       // takes its time between pages
    std::int64_t next = 0;   // the frame it wants
    std::int64_t given = 0;  // frames that the server has sent it
    bool done = false;
    bool served = false;  // the server has the request
    bool resting = false;
    int overdue = 0;  // looks at which there was something to tell
    std::int64_t seen = 0;
    std::shared_ptr<Wire> wire;
  };
  using ReaderPtr = std::shared_ptr<Reader>;
  using Answer = std::function<void()>;
  // Runs `task` on the server for a client. The task sends its answer over the wire.
  void ask(std::function<Task<void>(app::App&, std::shared_ptr<Wire>)> task);

  static Task<void> serve(Task<void> task, std::shared_ptr<Wire> wire);

  void create(Dice dice, std::string command, std::string checkpoint, std::string thread);
  void create_many(Dice dice);
  void fork(Dice dice);
  void cancel(Dice dice);
  void act_on_thread(Act act, Dice dice);
  void act_on_run(Act act, Dice dice);
  void follow(const std::string& run_id, Dice dice);
  void attach(const ReaderPtr& reader);
  void created(const std::string& run_id, const std::string& tag, Dice dice);
  app::RunOrder order(Dice& dice, const std::string& tag);
  std::string any_run(Dice& dice) const;
  std::string any_thread(Dice& dice) const;

  Task<void> stream(app::App& app, std::shared_ptr<Wire> wire, ReaderPtr reader);
  Task<void> join(app::App& app, std::shared_ptr<Wire> wire, ReaderPtr reader);

  Stage& stage_;
  Fleet& fleet_;
  Oracle& oracle_;
  std::vector<std::string> threads_;
  std::vector<std::string> runs_;  // acknowledged, oldest first
  std::vector<ReaderPtr> readers_;
  std::vector<std::weak_ptr<Wire>> wires_;
  std::uint64_t requests_ = 0;
};

}  // namespace dg::simulation
