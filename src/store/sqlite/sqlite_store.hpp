// The store over one SQLite file, for a server that needs nothing beside itself.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/env.hpp"
#include "store/store.hpp"

namespace dg::store {

struct SqliteOptions {
  std::string path;  // of the file; its directory must exist. ":memory:" needs inline_mode
  int readers = 2;   // reading threads, each with a connection of its own
  // No threads: every call runs on the caller's thread before it returns, over one connection.
  bool inline_mode = false;
  std::size_t max_queued_commits = 4096;                  // more are refused as unavailable
  std::size_t max_queued_bytes = std::size_t{256} << 20;  // the same, by their size
  std::size_t max_queued_reads = 4096;
  std::chrono::milliseconds busy_timeout{5000};    // waiting for another process that writes
  std::chrono::milliseconds read_deadline{30000};  // a read that takes longer is a timeout
  // A thread with more finished runs, and checkpoints without a run, than this has the older ones packed, all
  // but a quarter of so many. 0: what is finished is packed at once.
  std::int64_t pack_after = 16;
  std::int64_t writer_cache_kib = 2048;
  std::int64_t reader_cache_kib = 1024;
  std::int64_t mmap_bytes = std::int64_t{8} << 20;
};

// Opens or creates the database and brings its schema up to date. Errors: internal when the file
// cannot be used, conflict when its schema is newer than this program or not the one recorded,
// invalid_argument for options that contradict each other.
//
// The ports in `env` outlive the store. Unless inline, its writer thread reads the clock and the
// random source, which must then be safe to use from several threads. Destroying the store
// finishes what was queued and ends its threads; answers that the loop has not taken yet are lost
// with the loop.
Result<std::unique_ptr<Store>> open_sqlite(Env env, SqliteOptions options);

}  // namespace dg::store
