// Which checkpoints a filter finds, in rows and in packs.
#pragma once

#include <vector>

#include "store/sqlite/packs.hpp"

namespace dg::store::sqlite {

// Newest first.
std::vector<CheckpointKey> list_checkpoint_keys(Database& db, Packs& packs, const CheckpointFilter& filter);

}  // namespace dg::store::sqlite
