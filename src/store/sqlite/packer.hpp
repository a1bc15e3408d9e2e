// Moving the rows of finished work into packs.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "store/sqlite/database.hpp"
#include "store/store.hpp"

namespace dg::store::sqlite {

struct PackLimits {
  // A thread with more finished runs, and checkpoints without a run, than this that are rows gets a pack.
  std::int64_t after = 16;
  std::int64_t keep = 4;                     // how many of each kind, the newest, stay rows
  std::size_t bytes = std::size_t{1} << 20;  // about so much goes into one pack
};

// Belongs to the thread that writes, beside its connection.
class Packer {
 public:
  Packer(Database& db, PackLimits limits) : db_(db), limits_(limits) {}

  // Remembers the threads on which the commit, which was accepted, may have finished something.
  void note(const Commit& commit);
  // How many threads are to be looked at.
  std::size_t waiting() const { return threads_.size(); }
  // Looks at some of them in turn and writes one pack at most, in a transaction of its own. Readers see the
  // same before and after. Where that fails, the rows stay what they are.
  void step();

 private:
  std::string take_next();
  void pack(const std::string& thread_id);

  Database& db_;
  PackLimits limits_;
  std::set<std::string> threads_;
  std::string last_;        // the one that was looked at last
  std::string unfinished_;  // of this one more did not fit into its last pack
};

}  // namespace dg::store::sqlite
