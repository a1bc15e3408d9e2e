// Packs: the rows of a thread's finished work in one compressed text. The rows of a run say the same ids and
// texts several times over, in checkpoints, writes, patches and events; side by side they are said once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "store/pack/rows.hpp"

namespace dg::store::pack {

// A version, then the columns of each table one after the other, compressed together.
std::string encode(const Contents& contents);
// Errc::internal where the bytes were not made by `encode`; they are not trusted.
Result<Contents> decode(std::string_view bytes);

// What can be told of a pack without unpacking it.
struct Summary {
  // Of its checkpoints in the order of ids; empty where it has none.
  std::string first_checkpoint_id;
  std::string last_checkpoint_id;
  // Of each run that wrote a checkpoint or is named by its metadata, of each namespace, and of each version
  // that a value has: `key_of_run`, `key_of_namespace`, `key_of_version`. Without repetition.
  std::vector<std::int64_t> keys;
  // The bytes of series' logs that it needs, for `take_needs`.
  std::string needs;
};
Summary summary_of(std::string_view thread_id, const Contents& contents);

// Where packs that may hold something are found: numbers that are the same for the same ids, and hardly ever
// for others.
std::int64_t key_of_run(std::string_view run_id);
std::int64_t key_of_namespace(std::string_view thread_id, std::string_view ns);
std::int64_t key_of_version(std::string_view thread_id, std::string_view ns, std::string_view version);

}  // namespace dg::store::pack
