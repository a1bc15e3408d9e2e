// The server process: the product's use cases over the simulated store, and the ends of its connections.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "app/app.hpp"
#include "simulation/bugs/bugs.hpp"
#include "simulation/store/store.hpp"
#include "simulation/world/wire.hpp"

namespace dg::simulation {

class WorkerPeer;

class Server {
 public:
  Server(Stage& stage, Disk& disk, Network& network, std::uint64_t seed, Bug bug);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // A process begins. It listens once what survived was read.
  void start();
  // It dies. `landed`: the flush under way had reached the disk.
  void die(bool landed);
  bool listens() const { return listens_; }
  // It could not start, and ends by itself.
  bool broken() const { return broken_; }
  bool alive() const { return life_ != nullptr; }
  app::App& app();
  // The loop; there is nothing to run while the process is dead.
  ServerTimers& loop() { return loop_; }

  // A connection to the server; null when it does not listen.
  std::shared_ptr<Wire> connect();
  // Serves a worker that says hello on the connection.
  void serve(std::shared_ptr<Wire> wire, WorkerPeer& peer, app::Hello hello);
  // Something that a worker says about a run on that connection.
  void hear(const std::shared_ptr<Wire>& wire, app::OwnerMessage message);
  // Runs a task that belongs to the connection's client, on the loop.
  void run(std::string_view name, Task<void> task);

 private:
  struct Life;
  Task<void> boot();
  Task<void> serve_worker(std::shared_ptr<Wire> wire, WorkerPeer& peer, app::Hello hello);

  Stage& stage_;
  Disk& disk_;
  Network& network_;
  std::uint64_t seed_;
  Bug bug_;
  ServerTimers loop_;
  std::uint64_t lives_ = 0;
  bool listens_ = false, broken_ = false;
  std::unique_ptr<Life> life_;
  std::map<std::uint64_t, std::shared_ptr<Wire>> wires_;  // in the order of their making
  std::uint64_t last_wire_ = 0;
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
