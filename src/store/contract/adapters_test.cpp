#include "base/scratch_folder.hpp"
#include "store/contract/suite.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/postgres/testing/database.hpp"
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

class PostgresDatabase final : public Backend {
 public:
  Result<std::unique_ptr<Store>> open(Env env) override {
    return make_postgres_store(env, {.connect = database_.options()});
  }

 private:
  postgres::testing::TestDatabase database_;
};

const auto on_sqlite =
    testing::Values(Adapter{"file", [] { return std::make_unique<SqliteFile>(false); }},
                    Adapter{"file_packing", [] { return std::make_unique<SqliteFile>(false, 0); }},
                    Adapter{"inline_file_packing", [] { return std::make_unique<SqliteFile>(true, 0); }},
                    Adapter{"inline_file", [] { return std::make_unique<SqliteFile>(true); }},
                    Adapter{"inline_memory", [] { return std::make_unique<SqliteMemory>(); }});
const auto on_postgres =
    testing::Values(Adapter{"postgres", [] { return std::make_unique<PostgresDatabase>(); }});
const auto name_of = [](const auto& param) { return param.param.name; };

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract, on_sqlite, name_of);
INSTANTIATE_TEST_SUITE_P(Sqlite, UndoContract, on_sqlite, name_of);
INSTANTIATE_TEST_SUITE_P(Postgres, StoreContract, on_postgres, name_of);
INSTANTIATE_TEST_SUITE_P(Postgres, UndoContract, on_postgres, name_of);

}  // namespace
}  // namespace dg::store::contract
