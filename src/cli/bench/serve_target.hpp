// Instances of `duragraph serve` of this program on a database of their own, and a `duragraph worker`.
#pragma once

#include "cli/bench/deployment.hpp"
#include "cli/bench/target.hpp"

namespace dg::cli::bench {

class ServeTarget : public Target {
 public:
  // The deployment outlives it.
  static Task<Result<std::unique_ptr<ServeTarget>>> start(Bench& bench, const Deployment& deployment,
                                                          TargetOptions options);
  ~ServeTarget() override;

  const store::postgres::Conninfo& conninfo() const { return conninfo_; }
  // One more, the last of all from then on.
  Task<Status> start_instance();
  // Kills the first one.
  void kill_instance();
  std::int64_t bytes_written() const override;
  std::string what_is_written() const override { return "KiB of WAL"; }
  std::int64_t bytes_on_disk() const override;
  Task<void> stop() override;
  Result<BareStore> measure_bare_store(std::string_view what, Duration duration) const override;
  Result<std::unique_ptr<store::Store>> open_store() const override;
  std::vector<std::pair<std::string, double>> rows_per_run() const override;

 private:
  ServeTarget(Bench& bench, const Deployment& deployment);
  Task<Status> make_database();
  // Starts the worker, from which the server knows the graphs, and ends it where none is to serve.
  Task<Status> bring_graphs(TargetOptions options);
  // What a query for one number gives; 0 when it fails.
  std::int64_t ask(const std::string& sql) const;

  const Deployment& deployment_;
  std::string name_;  // of the database
  store::postgres::Conninfo conninfo_;
  std::unique_ptr<Process> worker_;
};

}  // namespace dg::cli::bench
