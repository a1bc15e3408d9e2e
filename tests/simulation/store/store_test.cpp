// The simulated store is as honest as the real one: it passes the same contract.
#include "simulation/store/store.hpp"

#include "store/contract/suite.hpp"

namespace dg::store::contract {
namespace {

class InMemory final : public Backend {
 public:
  Result<std::unique_ptr<Store>> open(Env env) override {
    return std::make_unique<simulation::SimulatedStore>(env, disk_);
  }

 private:
  simulation::Disk disk_;
};

const auto adapters = testing::Values(Adapter{"memory", [] { return std::make_unique<InMemory>(); }});
const auto name_of = [](const auto& param) { return param.param.name; };

INSTANTIATE_TEST_SUITE_P(Simulated, StoreContract, adapters, name_of);
INSTANTIATE_TEST_SUITE_P(Simulated, UndoContract, adapters, name_of);

}  // namespace
}  // namespace dg::store::contract
