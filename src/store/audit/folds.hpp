// What the events of one assistant or run come to.
#pragma once

#include <map>

#include "store/audit/compare.hpp"

namespace dg::store::audit {

// Takes the events of one aggregate in order, then says what its rows must be.
class Fold {
 public:
  virtual ~Fold() = default;
  virtual void take(const StoredEvent& event) = 0;
  // Whether the events left something that has rows.
  virtual bool alive() const = 0;
};

class AssistantFold final : public Fold {
 public:
  AssistantFold(std::string id, Findings& findings) : findings_(findings) { assistant_.id = std::move(id); }
  void take(const StoredEvent& event) override;
  bool alive() const override { return alive_; }
  void expect_in(TableMatch& assistants, TableMatch& versions) const;

 private:
  struct Version {
    domain::AssistantContent content;
    WallTime created_at{};
  };

  Findings& findings_;
  domain::Assistant assistant_;
  std::map<std::int64_t, Version> versions_;
  bool alive_ = false;
  bool readable_ = true;
};

class RunFold final : public Fold {
 public:
  RunFold(std::string id, Findings& findings) : findings_(findings) { run_.id = std::move(id); }
  void take(const StoredEvent& event) override;
  bool alive() const override { return run_.version > 0 && !deleted_; }
  void expect_in(TableMatch& runs, bool has_frames) const;

 private:
  Findings& findings_;
  domain::Run run_;
  bool deleted_ = false;
  bool readable_ = true;
};

// Says that an event cannot be read.
void refuse_event(Findings& findings, const StoredEvent& event, const Error& error);

}  // namespace dg::store::audit
