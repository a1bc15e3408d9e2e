// What a transaction knows of the database, as it is after what it has applied so far.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "store/commit_check.hpp"
#include "store/postgres/connection.hpp"
#include "store/postgres/needs.hpp"
#include "store/postgres/segments.hpp"
#include "store/postgres/series_cache.hpp"
#include "store/postgres/series_parts.hpp"

namespace dg::store::postgres {

class Facts final : public CommitFacts {
 public:
  struct Head {
    std::int64_t version = 0, seq = 0, turn = 0;
    bool erased = false;
    bool changed = false;
    bool stored = false;  // it has a row
    bool made = false;    // by what is being written now; then nothing of the aggregate has a row yet
    bool is_empty() const { return version == 0 && seq == 0 && turn == 0 && !erased; }
  };
  struct StoredCheckpoint {
    std::string run_id;  // its writer
    std::string cuts;
  };

  // Who presumes does not look for what is to be created, nor makes what is to be locked.
  Facts(SeriesCache& cache, bool presuming) : cache_(cache), presuming_(presuming) {}

  // Opens the transaction, locks the heads that are needed in the order of their ids, and reads everything
  // else. A lease whose thread turned out not to be among the locked ones is a transient failure, and so is
  // what was presumed wrongly.
  Task<Outcome<void>> begin(Connection& connection, const Needs& needs);
  // Reads what is not a head or a lease anew, after it was changed by statements of this transaction.
  Task<Outcome<void>> read_details(Connection& connection, const Needs& needs);

  // --- what commits are judged by ---
  std::int64_t turn(const std::string& thread_id) override;
  CommitFacts::Head head(domain::AggregateType type, const std::string& id) override;
  std::optional<Owner> owner(const std::string& id) override;
  std::string holder(const std::string& thread_id) override;
  std::optional<Connected> session(const std::string& id) override;

  // --- what is applied ---
  Head& head_of(domain::AggregateType type, const std::string& id) { return heads_[{id, type}]; }
  const std::map<HeadKey, Head>& heads() const { return heads_; }
  // What changed is being written.
  void settle_heads();
  bool is_made(domain::AggregateType type, const std::string& id) const;
  // The lease of the owner, or null.
  const Lease* lease(const std::string& owner) const;
  void put_lease(Lease lease);
  // Gives the thread that is free then; empty when there was no such lease.
  std::string drop_lease(const std::string& owner);
  // Those that changed since the last call, by owner; none: dropped.
  std::map<std::string, std::optional<Lease>> take_changed_leases();

  std::map<std::string, Connected> sessions;
  std::map<std::string, StreamTail> streams;  // by run
  std::map<CheckpointPlace, StoredCheckpoint> checkpoints;
  std::map<TaskPlace, std::string> patches;
  std::set<ValuePlace> values;
  std::set<std::string> with_checkpoint;  // threads
  // Of series whose parts are to be merged now: those of them, in order, that are not too large for it.
  std::map<delta::SeriesKey, std::vector<SeriesPartRow>> unmerged_parts;
  delta::Series& series(const delta::SeriesKey& key) { return *series_.at(key); }
  // Names the transaction to the server: whether it committed can be asked for by this later.
  const std::string& transaction_id() const { return transaction_id_; }
  static Failure presumed_wrongly(std::string message);

 private:
  struct Places;
  void add_locks(Pipeline& pipeline, Places& places, const Needs& needs);
  void add_details(Pipeline& pipeline, Places& places, const Needs& needs, const Needs::Streams& followed);
  static Needs::Streams streams_of_known(const Needs& needs);
  void take_heads(Rows& rows);
  bool knows_heads(const Needs& needs) const;
  bool take_leases(Rows& rows);
  void take_details(std::vector<Rows>& results, const Places& places);
  void take_stream(Rows& row);
  Task<Outcome<void>> take_series(Connection& connection, Rows rows, const Needs& needs);
  void take_part(Rows& row, const delta::SeriesKey& key, const delta::Series& stored);

  SeriesCache& cache_;
  bool presuming_;
  std::map<HeadKey, Head> heads_;
  std::map<std::string, Lease> leases_;
  std::map<std::string, std::string> holders_;  // thread -> owner
  std::set<std::string> changed_leases_;
  std::map<delta::SeriesKey, delta::Series*> series_;
  std::string transaction_id_;
};

}  // namespace dg::store::postgres
