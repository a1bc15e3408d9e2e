// What of a thread goes into a pack.
#pragma once

#include <string>

#include "store/sqlite/packer.hpp"

namespace dg::store::sqlite {

// Whether the thread has so much finished work in rows that some is to be packed.
bool has_to_pack(Database& db, const std::string& thread_id, const PackLimits& limits);
// Moves the oldest finished work of the thread into one pack, inside the open transaction. Says whether more
// is left that did not fit.
bool pack_thread(Database& db, const std::string& thread_id, const PackLimits& limits);

}  // namespace dg::store::sqlite
