// The simulated store with one of the planted bugs.
#pragma once

#include "simulation/bugs/bugs.hpp"
#include "simulation/world/stage.hpp"

namespace dg::simulation {

bool is_of_store(Bug bug);

class BuggyStore final : public SimulatedStore {
 public:
  BuggyStore(Env env, Disk& disk, DatabaseLink* link, Bug bug)
      : SimulatedStore(env, disk, link), bug_(bug), dice_(env.random.next()) {}

  Task<Result<Committed>> do_commit(Commit commit) override;
  Reply<std::optional<domain::Run>> run(std::string id) override;

 protected:
  void spoil(Commit& commit) override;

 private:
  void forget_numbers(Commit& commit);
  void forget_holders(Commit& commit);
  // Whether the commit is answered while it is still being written.
  bool too_early(const Commit& commit) const;
  Task<Result<Committed>> answer_early(Commit commit);
  Task<Result<Committed>> in_halves(Commit commit);
  Task<Result<Committed>> judged_before(Commit commit);

  Bug bug_;
  Dice dice_;
  std::map<std::string, std::int64_t> frames_ahead_;  // by run: where the next frame goes
};

}  // namespace dg::simulation
