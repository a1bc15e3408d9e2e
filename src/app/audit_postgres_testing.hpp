// The life of a server over PostgreSQL, to be checked, damaged and rebuilt.
#pragma once

#include "app/audit_testing.hpp"
#include "app/waiting_store.hpp"
#include "store/postgres/audit.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/postgres/testing/database.hpp"

namespace dg::app::testing {

class AuditedPostgres final : public AuditedDatabase {
 public:
  OpenStore opener() override {
    return [options = test_.options()](const Env& env) {
      return std::make_unique<WaitingStore>(env, [&](const Env& inner) {
        return store::make_postgres_store(inner, {.connect = options, .readers = 1});
      });
    };
  }
  Result<std::unique_ptr<store::audit::Audit>> open_audit() override {
    return store::open_postgres_audit(test_.conninfo());
  }
  Result<store::audit::Rebuilding> open_rebuilding() override {
    return store::open_postgres_rebuilding(test_.conninfo());
  }
  void execute(const std::string& sql) override { test_.owner().run(sql); }

  const store::postgres::testing::TestDatabase& test() const { return test_; }

 private:
  store::postgres::testing::TestDatabase test_;
};

class PostgresAuditTest : public AuditedLife {
 protected:
  PostgresAuditTest() : AuditedLife(std::make_unique<AuditedPostgres>()) {}
  const store::postgres::testing::TestDatabase& test() const {
    return dynamic_cast<const AuditedPostgres&>(*database_).test();
  }
};

}  // namespace dg::app::testing
