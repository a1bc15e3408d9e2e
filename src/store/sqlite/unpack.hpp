// Writing around packs: whatever a commit changes in a pack becomes rows again first, in its transaction.
#pragma once

#include <cstdint>
#include <string>

#include "store/pack/pack.hpp"
#include "store/records.hpp"
#include "store/sqlite/database.hpp"

namespace dg::store::sqlite {

// Stores a pack and where it is found; returns its id.
std::int64_t insert_pack(Database& db, const std::string& thread_id, const pack::Contents& contents);

// Makes the checkpoints, values, writes and patches of a pack rows of the thread.
void insert_rows(Database& db, const std::string& thread_id, const pack::Contents& contents);

// Makes the rows of a pack rows again and removes it.
void unpack(Database& db, std::int64_t id);
// The same for the pack with the events and the request of that run, where there is one.
void unpack_run(Database& db, const std::string& run_id);
// The same for the pack with that checkpoint, where there is one.
void unpack_checkpoint(Database& db, const CheckpointKey& key);
// The same for all packs with checkpoints that the run wrote or, where asked, whose metadata names it.
void unpack_checkpoints_of_run(Database& db, const std::string& run_id, bool by_metadata);
// The same for the packs with what the checkpoint, which is about to be put, names or replaces.
void unpack_before(Database& db, const NewCheckpoint& checkpoint);
// The same for all packs of a thread.
void unpack_thread(Database& db, const std::string& thread_id);
// The same for the pack with the newest root checkpoint of the thread, where it is in one.
void unpack_newest(Database& db, const std::string& thread_id);

// Removes checkpoints, values and writes from the packs of the thread, whose events stay. `keep_newest`:
// packs with the newest checkpoint of a namespace become rows instead. Says whether there was any. A pack
// that cannot be read fails the transaction.
bool erase_packed_checkpoints(Database& db, const std::string& thread_id, bool keep_newest);
// Removes the packs of the thread that cannot be read, with the events in them: for a thread that goes.
void drop_damaged_packs(Database& db, const std::string& thread_id);

}  // namespace dg::store::sqlite
