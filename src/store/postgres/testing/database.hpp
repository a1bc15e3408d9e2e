// Databases of tests: one for each test, on the cluster that they share.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "base/env.hpp"
#include "store/postgres/connection.hpp"
#include "store/postgres/schema.hpp"
#include "store/postgres/testing/cluster.hpp"
#include "store/postgres/testing/session.hpp"

namespace dg::store::postgres::testing {

// Of a superuser, to the named database of the cluster.
inline Conninfo superuser_conninfo(std::string_view database) {
  auto conninfo = parse_conninfo(TestCluster::get().url());
  if (!conninfo) throw std::runtime_error("DURAGRAPH_TEST_POSTGRES: " + conninfo.error());
  if (!database.empty()) set_value(*conninfo, "dbname", std::string(database));
  return std::move(*conninfo);
}

// The database with our schema that others are copied from. It is made by whichever process needs it first,
// and named after the schema's text.
class Template {
 public:
  // Who owns what is in it.
  static constexpr std::string_view owner = "duragraph_template_owner";

  static const std::string& name() {
    static const std::string made = make();
    return made;
  }

 private:
  static std::string make() {
    std::string texts;
    for (const auto& file : schema_files()) texts += file.text;
    auto name = "duragraph_template_" + sha256_hex(texts).substr(0, 16);
    Session admin(superuser_conninfo(""));
    admin.run("SELECT pg_advisory_lock(hashtext('duragraph_template'))");
    // It becomes a template when it is complete; one that is none was left by a process that died.
    if (admin.value(fmt::format("SELECT datistemplate FROM pg_database WHERE datname = '{}'", name)) == "t")
      return name;
    if (admin.run(fmt::format("SELECT FROM pg_roles WHERE rolname = '{}'", owner)).empty())
      admin.run(fmt::format("CREATE ROLE {}", owner));
    admin.run(fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", name));
    admin.run(fmt::format("CREATE DATABASE {} OWNER {}", name, owner));
    apply_schema(name);
    admin.run(fmt::format("ALTER DATABASE {} OWNER TO CURRENT_USER", name));
    admin.run(fmt::format("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false IS_TEMPLATE true", name));
    return name;
  }

  static void apply_schema(const std::string& database) {
    Session session(superuser_conninfo(database));
    session.run(fmt::format("SET ROLE {}", owner));
    for (const auto& file : schema_files()) session.run(script_of(file));
  }
};

enum class Content { schema, nothing };

// A database of its own and a role that owns it and may do nothing else, both gone at the end.
class TestDatabase {
 public:
  explicit TestDatabase(Content content = Content::schema) : name_(unused_name()) {
    Session admin(superuser_conninfo(""));
    admin.run(fmt::format("CREATE ROLE {0} LOGIN PASSWORD '{1}'", name_, password()));
    if (content == Content::nothing) {
      admin.run(fmt::format("CREATE DATABASE {0} OWNER {0}", name_));
    } else {
      admin.run(fmt::format("CREATE DATABASE {0} OWNER {0} TEMPLATE {1}", name_, Template::name()));
      superuser().run(fmt::format("REASSIGN OWNED BY {} TO {}", Template::owner, name_));
    }
  }
  // Sessions that are still open are ended.
  ~TestDatabase() {
    try {
      Session admin(superuser_conninfo(""));
      admin.run(fmt::format("DROP DATABASE {} WITH (FORCE)", name_));
      admin.run(fmt::format("DROP ROLE {}", name_));
    } catch (const std::exception& error) {
      // The server is gone, and the database with it.
      std::fprintf(stderr, "%s stays: %s\n", name_.c_str(), error.what());
    }
  }
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  // The names of the database and of its owner are the same.
  const std::string& name() const { return name_; }
  std::string password() const { return "secret-of-" + name_; }

  // The owner's.
  Conninfo conninfo() const {
    auto conninfo = superuser_conninfo(name_);
    set_value(conninfo, "user", name_);
    set_value(conninfo, "password", password());
    return conninfo;
  }
  ConnectOptions options() const { return {.conninfo = conninfo()}; }
  std::string url() const {
    const auto cluster = superuser_conninfo(name_);
    return fmt::format("postgresql://{0}:{1}@{2}:{3}/{0}", name_, password(), value_of(cluster, "host"),
                       value_of(cluster, "port"));
  }

  // Another session on it.
  Session owner() const { return Session(conninfo()); }
  Session superuser() const { return Session(superuser_conninfo(name_)); }

 private:
  static std::string unused_name() {
    const auto random = make_system_random();
    return "duragraph_test_" + make_secret(*random, 6);
  }

  std::string name_;
};

}  // namespace dg::store::postgres::testing
