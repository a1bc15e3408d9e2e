// Reading everything that is stored, to check it or to rebuild what follows from it: one snapshot, each
// kind of row in the order of its key and one row at a time. An adapter reads and does not judge; texts
// compare by their bytes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "store/audit/findings.hpp"
#include "store/audit/read_row.hpp"
#include "store/delta/document.hpp"
#include "store/records.hpp"

namespace dg::store::audit {

template <class T>
class Scan {
 public:
  virtual ~Scan() = default;
  // The next row, valid until the next call; null behind the last one and after an error.
  virtual const T* next() = 0;
};
template <class T>
using Rows = std::unique_ptr<Scan<T>>;

struct StoredHead {
  std::string id;
  std::string aggregate;  // "run"
  std::int64_t version = 0;
  std::int64_t seq = 0;
  std::int64_t turn = 0;
  bool erased = false;
};

struct StoredEvent {
  std::string aggregate_id;
  std::string aggregate;
  std::int64_t version = 0;
  std::string type;     // "RunCreated"
  std::string payload;  // in a scan of logs empty for RunCreated, whose request may be large
  std::string thread_id;
  std::int64_t seq = 0;
  WallTime at{};
  bool erased = false;  // in a scan of logs: what the head of its aggregate says
};

// Frames that lie together.
struct StoredSegment {
  std::int64_t first_no = 0;
  std::int64_t count = 0;
  std::vector<std::int64_t> places;  // of its frames in the thread's log
  bool whole = true;                 // its bytes are frames to the last one
};

struct NewestState {
  std::string thread_id;
  bool has_next = false;  // its newest root checkpoint has unvisited nodes
};

using ChannelVersion = std::pair<std::string, std::string>;

struct StoredCheckpoint {
  CheckpointKey key;
  std::string run_id;                    // its writer; empty for none
  bool writer_erased = false;            // that run is gone
  std::vector<ChannelVersion> versions;  // what it names
  // Columns that repeat what its documents say, and do not say it.
  std::vector<std::string_view> wrong_columns;
};

struct StoredValue {
  std::string thread_id;
  std::string ns;
  ChannelVersion version;
};

// The log of one channel's large values (store/delta/recipe.hpp).
struct StoredSeries {
  std::int64_t id = 0;
  std::string thread_id;
  std::string ns;
  std::string channel;
  std::string newest;  // the recipe of the value that the next one is compared with
};

struct StoredPart {
  std::int64_t at = 0;
  std::int64_t size = 0;
  bool whole = true;  // it unpacks to that many bytes
};

// A value that is put together from a series.
struct SeriesUse {
  delta::Ref ref;
  Ids where;             // the value, checkpoint or segment that names it
  bool readable = true;  // else what is cut out there cannot be told
};

// Something is kept for a thread in one table of its state.
struct KeptState {
  std::string thread_id;
  std::string table;
};

// Rows of finished work that are stored together (store/pack/pack.hpp). The other scans give its rows as if
// they stood in their tables, and nothing of one that is damaged.
struct StoredPack {
  std::int64_t id = 0;
  std::string thread_id;
  std::string damage;  // why it cannot be read; empty where it can
  // What is said of it beside its rows and does not follow from them.
  std::vector<std::string_view> wrong_columns;
};

class Audit {
 public:
  virtual ~Audit() = default;

  // What is wrong with the database as a file or as tables, in the database's words.
  virtual std::vector<std::string> damage(std::size_t limit) = 0;

  virtual Rows<StoredHead> heads() = 0;             // by id and aggregate
  virtual Rows<StoredEvent> events() = 0;           // by aggregate id, aggregate and version
  virtual Rows<StoredEvent> logs() = 0;             // those of a thread's log, by thread and seq
  virtual Rows<ReadRow> rows(ReadTable table) = 0;  // by key
  virtual Rows<std::string> framed_runs() = 0;      // ids of runs that have segments
  virtual Rows<StoredSegment> segments(const std::string& run_id) = 0;
  virtual Rows<Lease> leases() = 0;                  // by thread
  virtual Rows<NewestState> newest_states() = 0;     // by thread
  virtual Rows<KeptState> kept_states() = 0;         // by thread and table
  virtual Rows<StoredCheckpoint> checkpoints() = 0;  // by thread, namespace and id
  virtual Rows<StoredValue> values() = 0;            // by thread, namespace, channel and version

  virtual Rows<StoredPack> packs() = 0;  // by thread

  virtual Rows<StoredSeries> series(const std::string& thread_id) = 0;
  virtual Rows<StoredPart> parts(std::int64_t series) = 0;  // by place
  virtual Rows<SeriesUse> uses(const std::string& thread_id) = 0;
  virtual Rows<std::int64_t> series_without_row() = 0;  // that have parts

  // Ends the reading. internal: the database failed, and scans ended early; conflict: what was read may
  // be no one state of the database, since somebody began to use it meanwhile.
  virtual Status finish() = 0;
};

// Writing read tables anew, all at once or not at all: without commit() nothing has changed.
class ReadTables {
 public:
  virtual ~ReadTables() = default;
  virtual void erase(ReadTable table, const ReadRow& row) = 0;
  virtual void put(ReadTable table, const ReadRow& row) = 0;
  virtual Status commit() = 0;
};

// What a rebuild works on. While it lives nobody else writes, and `before` does not see its writes.
struct Rebuilding {
  std::unique_ptr<ReadTables> tables;
  std::unique_ptr<Audit> before;
};

// The next row of a scan, before it is taken.
template <class T>
class Ahead {
 public:
  explicit Ahead(Rows<T> rows) : rows_(std::move(rows)), row_(rows_->next()) {}
  const T* peek() const { return row_; }
  void skip() { row_ = rows_->next(); }

 private:
  Rows<T> rows_;
  const T* row_;
};

}  // namespace dg::store::audit
