#include "base/scratch_folder.hpp"
#include "store/contract/suite.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace dg::store::contract {
namespace {

class SqliteFile final : public Backend {
 public:
  explicit SqliteFile(bool inline_mode, std::int64_t pack_after = SqliteOptions{}.pack_after)
      : inline_mode_(inline_mode), pack_after_(pack_after) {}
  Result<std::unique_ptr<Store>> open(Env env) override {
    return open_sqlite(env, {.path = (directory_.path() / "store.db").string(),
                             .inline_mode = inline_mode_,
                             .pack_after = pack_after_});
  }

 private:
  ScratchFolder directory_{"store"};
  bool inline_mode_;
  std::int64_t pack_after_;
};

class SqliteMemory final : public Backend {
 public:
  Result<std::unique_ptr<Store>> open(Env env) override {
    return open_sqlite(env, {.path = ":memory:", .inline_mode = true});
  }
  bool outlives_store() const override { return false; }
};

const auto adapters =
    testing::Values(Adapter{"file", [] { return std::make_unique<SqliteFile>(false); }},
                    Adapter{"file_packing", [] { return std::make_unique<SqliteFile>(false, 0); }},
                    Adapter{"inline_file_packing", [] { return std::make_unique<SqliteFile>(true, 0); }},
                    Adapter{"inline_file", [] { return std::make_unique<SqliteFile>(true); }},
                    Adapter{"inline_memory", [] { return std::make_unique<SqliteMemory>(); }});
const auto name_of = [](const auto& param) { return param.param.name; };

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract, adapters, name_of);
INSTANTIATE_TEST_SUITE_P(Sqlite, UndoContract, adapters, name_of);

}  // namespace
}  // namespace dg::store::contract
