#include "store/sqlite/checks.hpp"

#include "store/commit_check.hpp"
#include "store/sqlite/rows.hpp"

namespace dg::store::sqlite {
namespace {

constexpr std::string_view select_turn = "SELECT turn FROM heads WHERE aggregate_id = ? AND type = 'thread'";
constexpr std::string_view select_head =
    "SELECT version, erased FROM heads WHERE aggregate_id = ? AND type = ?";
constexpr std::string_view select_owner = "SELECT epoch, applied_n FROM leases WHERE owner = ?";
constexpr std::string_view select_session = "SELECT connection, ended <> '' FROM sessions WHERE id = ?";
constexpr std::string_view select_holder = "SELECT owner FROM leases WHERE thread_id = ?";

class Facts final : public CommitFacts {
 public:
  explicit Facts(Database& db) : db_(db) {}

  std::int64_t turn(const std::string& thread_id) override {
    Query query(db_, select_turn, thread_id);
    return query.next() ? query.integer() : 0;
  }
  Head head(domain::AggregateType type, const std::string& id) override {
    Query query(db_, select_head, id, to_string(type));
    if (!query.next()) return {};
    Head head;
    head.version = query.integer();
    head.exists = head.version > 0 && !query.flag();
    return head;
  }
  std::optional<Owner> owner(const std::string& id) override {
    Query query(db_, select_owner, id);
    if (!query.next()) return std::nullopt;
    Owner owner;
    owner.epoch = query.integer();
    owner.applied_n = query.integer();
    return owner;
  }
  std::string holder(const std::string& thread_id) override {
    Query query(db_, select_holder, thread_id);
    return query.next() ? query.text() : std::string();
  }
  std::optional<Connected> session(const std::string& id) override {
    Query query(db_, select_session, id);
    if (!query.next()) return std::nullopt;
    Connected session;
    session.connection = query.integer();
    session.over = query.flag();
    return session;
  }

 private:
  Database& db_;
};

}  // namespace

Status check(Database& db, const Commit& commit) {
  Facts facts(db);
  return check_commit(facts, commit);
}

}  // namespace dg::store::sqlite
