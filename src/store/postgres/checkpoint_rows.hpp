// Rows of checkpoints, whichever read asks for them: found by their keys, all at once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/columns.hpp"
#include "store/postgres/snapshot.hpp"
#include "store/queries.hpp"

namespace dg::store::postgres {

// A statement that selects some rows of checkpoints and of what hangs on them. Those with a number in front
// give it as a first column: the place of the checkpoint among the keys.
struct KeyParams {
  std::vector<std::string> thread_ids, namespaces, checkpoint_ids;

  explicit KeyParams(const std::vector<CheckpointKey>& keys);
  Params params() const { return Params(thread_ids, namespaces, checkpoint_ids); }
};

// Where the key of a statement comes from: k.thread_id, k.ns, k.id and k.place.
inline constexpr std::string_view given_keys =
    "unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS k(thread_id, ns, id, place)";
// One key, $1 to $3; an empty id stands for the newest checkpoint's.
inline constexpr std::string_view one_key =
    "(SELECT $1::text AS thread_id, $2::text AS ns, CASE WHEN $3::text <> '' THEN $3::text ELSE "
    "(SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = $1 AND checkpoint_ns = $2) END AS id, "
    "1::bigint AS place) AS k";
// The checkpoint of the key as c. The offset keeps the planner from reading the whole table.
inline constexpr std::string_view checkpoint_of_key =
    "CROSS JOIN LATERAL (SELECT * FROM checkpoints WHERE thread_id = k.thread_id AND checkpoint_ns = k.ns "
    "AND checkpoint_id = k.id OFFSET 0) AS c";

// The version of a channel in a namespace.
struct ValueKey {
  std::string thread_id;
  std::string ns;
  std::string channel;
  std::string version;

  auto operator<=>(const ValueKey&) const = default;
};
// A value as it is stored: by itself, or by a recipe over a series' log.
struct StoredValue {
  std::string type;
  std::int64_t series = 0;
  std::string data;

  std::optional<delta::Ref> ref() const {
    return series == 0 ? std::nullopt : std::optional(delta::Ref{series, data});
  }
  TypedBlob whole(SeriesValues& values) &&;
};

// Reads the values of all keys at once; nothing where one is not stored.
class ValueLookup {
 public:
  // Gives the place of the key's value; each key is read once.
  std::size_t add(ValueKey key);
  bool empty() const { return keys_.empty(); }
  std::size_t add_to(Pipeline& pipeline) const;
  std::vector<std::optional<StoredValue>> read(Rows& rows) const;

 private:
  std::map<ValueKey, std::size_t> places_;
  std::vector<ValueKey> keys_;
};

// The keys that a filter finds, newest first.
Task<Outcome<std::vector<CheckpointKey>>> list_keys(Snapshot& snapshot, CheckpointFilter filter);

}  // namespace dg::store::postgres
