// A server process: the product's use cases over the simulated store, and the ends of its connections. One
// alone has the disk for itself; several share a database and speak over a broker.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/app.hpp"
#include "simulation/bugs/bugs.hpp"
#include "simulation/store/database.hpp"
#include "simulation/world/broker.hpp"
#include "simulation/world/wire.hpp"

namespace dg::simulation {

class WorkerPeer;

// What a process runs on. Alone it has neither a database server nor a broker.
struct Site {
  Stage& stage;
  Disk& disk;
  Network& network;
  Database* database = nullptr;
  Broker* broker = nullptr;
  Bug bug = Bug::none;
};

// How one machine differs from the next.
struct Machine {
  std::string name = "server";
  std::uint64_t seed = 0;
  Duration steady_ahead{}, wall_ahead{};  // of its clocks
};

class Server {
 public:
  Server(const Site& site, Machine machine);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // A process begins. It listens once what survived was read.
  void start();
  // It dies. `landed`: the flush under way had reached the disk.
  void die(bool landed);
  // It is told to end: it takes nothing new, sends its workers away, and ends when all is written.
  void leave(std::function<void()> gone);
  // As by SIGSTOP and SIGCONT: it does nothing, and then goes on with what has happened meanwhile.
  void pause();
  void resume();
  void cut_database(bool is_cut);
  void cut_broker(bool is_cut);

  bool listens() const { return listens_; }
  // It could not start, and ends by itself.
  bool broken() const { return broken_; }
  bool alive() const { return life_ != nullptr; }
  // It is alive and not stopped.
  bool runs() const { return life_ && !paused_; }
  const std::string& name() const { return machine_.name; }
  app::App& app();
  // The loop; there is nothing to run while the process is dead.
  ServerTimers& loop() { return loop_; }

  // A connection to the server; null when it does not listen.
  std::shared_ptr<Wire> connect();
  // Does what a message asks for, once the process can read it.
  void deliver(std::function<void()> fn);
  // Serves a worker that says hello on the connection.
  void serve(std::shared_ptr<Wire> wire, WorkerPeer& peer, app::Hello hello);
  // Something that a worker says about a run on that connection.
  void hear(const std::shared_ptr<Wire>& wire, app::OwnerMessage message);
  // Runs a task that belongs to the connection's client, on the loop.
  void run(std::string_view name, Task<void> task);

 private:
  struct Life;
  Task<void> boot();
  Task<std::shared_ptr<LockSession>> take_locks();
  void hear_time(const LockSession& session, SteadyTime asked);
  Task<void> keep_locks(std::shared_ptr<LockSession> session);
  Task<Status> declare();
  Task<void> serve_worker(std::shared_ptr<Wire> wire, WorkerPeer& peer, app::Hello hello);
  void end_when_written(std::uint64_t life, std::function<void()> gone, int looks);
  void lose_patience(const std::shared_ptr<Wire>& wire, Duration patience);

  Site site_;
  Machine machine_;
  ServerTimers loop_;
  std::uint64_t lives_ = 0, pauses_ = 0;
  bool listens_ = false, broken_ = false, paused_ = false;
  bool database_cut_ = false, broker_cut_ = false;
  std::unique_ptr<Life> life_;
  std::vector<std::function<void()>> held_back_;                     // while it is stopped
  std::map<std::uint64_t, std::shared_ptr<Wire>> wires_;             // in the order of their making
  std::map<std::uint64_t, std::shared_ptr<app::WorkerLink>> links_;  // of workers
};

// The worker's end of a connection.
class WorkerPeer {
 public:
  virtual ~WorkerPeer() = default;
  virtual void welcomed(const std::shared_ptr<Wire>& wire, app::Workers::Welcome welcome) = 0;
  virtual void receive(const std::shared_ptr<Wire>& wire, app::ToWorker message) = 0;
};

}  // namespace dg::simulation
