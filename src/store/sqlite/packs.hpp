// Reading packs. Whatever is read may be in rows or in a pack; rows are looked at first.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "store/pack/pack.hpp"
#include "store/records.hpp"
#include "store/sqlite/database.hpp"

namespace dg::store::sqlite {

using PackContents = std::shared_ptr<const pack::Contents>;

// A pack that was read. None: id 0, without contents.
struct HeldPack {
  std::int64_t id = 0;
  std::string thread_id;
  PackContents contents;
};

// Keeps the packs that were used last, so that a list unpacks each of them once. For one transaction.
class Packs {
 public:
  explicit Packs(Database& db, std::size_t most_kept = 4) : db_(db), most_kept_(most_kept) {}

  // Errc::internal where it is damaged or does not exist; the connection stays usable.
  Result<HeldPack> read(std::int64_t id);
  // The same with the error on the connection, and none.
  HeldPack load(std::int64_t id);

  // The pack that holds the checkpoint, if one does.
  HeldPack holding(const CheckpointKey& key);
  // The id of the newest checkpoint of the namespace that is in a pack and newer than that one; empty for
  // none.
  std::string newest_after(const std::string& thread_id, const std::string& ns, const std::string& id);
  // The pack that holds the events and the request of the run, if one does.
  HeldPack of_run(const std::string& run_id);
  // The request of a run that is packed; an empty one where that cannot be read.
  std::string request_of(const std::string& run_id);

 private:
  Database& db_;
  std::size_t most_kept_;
  std::deque<HeldPack> kept_;  // the latest first
};

// The ids that a statement gives.
template <class... Values>
std::vector<std::int64_t> pack_ids(Database& db, std::string_view sql, const Values&... values) {
  std::vector<std::int64_t> out;
  for (Query query(db, sql, values...); query.next();) out.push_back(query.integer());
  return out;
}

}  // namespace dg::store::sqlite
