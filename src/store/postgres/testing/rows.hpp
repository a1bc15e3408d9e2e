// Rows that tests put into a database by themselves.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "store/columns.hpp"
#include "store/delta/document.hpp"
#include "store/delta/packing.hpp"
#include "store/delta/recipe.hpp"
#include "store/documents.hpp"
#include "store/frame_codec.hpp"
#include "store/postgres/testing/connected.hpp"
#include "store/queries.hpp"

namespace dg::store::postgres::testing {

class RowsTest : public Connected {
 protected:
  RowsTest() : Connected(Content::schema) {}

  Connection& db() { return *connection_; }

  // What a read gives, which must neither fail nor leave a transaction open.
  template <class T>
  T get(Task<Outcome<T>> read) {
    auto outcome = loop_.wait(std::move(read));
    if (!outcome) throw std::runtime_error(outcome.error().sqlstate + " " + outcome.error().message);
    EXPECT_FALSE(db().in_transaction());
    return std::move(*outcome);
  }

  template <class... Values>
  void insert(std::string_view sql, const Values&... values) {
    get(db().query(sql, values...));
  }

  // A time that many seconds after the tests' beginning of time.
  static WallTime at(std::int64_t seconds) {
    return from_micros(1'767'225'600'000'000 + seconds * 1'000'000);
  }

  void put_thread(const std::string& id, std::int64_t updated, const std::string& metadata = "{}",
                  const std::string& status = "idle", bool temporary = false) {
    insert(
        "INSERT INTO threads (id, metadata, search, config, status, temporary, created_at, updated_at, "
        "state_updated_at) VALUES ($1, $2, $3, '{\"c\":1}', $4, $5, $6, $7, $6)",
        id, metadata, Jsonb{metadata}, status, temporary, at(0), at(updated));
  }

  struct RunRow {
    std::string id;
    std::string thread;
    std::string status = "queued";
    std::int64_t not_before = 0;
    std::int64_t attempt = 0;
    std::string graph = "graph";
    bool has_frames = false;
  };
  void put_run(const RunRow& run) {
    insert(
        "INSERT INTO runs (id, thread_id, assistant_id, graph_id, status, kwargs, metadata, not_before, "
        "attempt, "
        "worker_id, revision, cancel, has_checkpoint, error, error_message, resumed_by, resumable, "
        "has_frames, "
        "created_at, updated_at, version, lease_epoch) VALUES ($1, $2, 'a', $3, $4, "
        "'{\"input\":\"\\u0000\"}', "
        "'{\"m\":1}', $5, $6, 'w', 'r1', 'rollback', true, 'E', NULL, '', false, $7, $8, $8, 5, 3)",
        run.id, run.thread, run.graph, run.status, at(run.not_before), run.attempt, run.has_frames, at(0));
  }

  void put_lease(const std::string& owner, const std::string& thread) {
    insert("INSERT INTO leases VALUES ($1, 'operation', $2, 4, 'session', 9)", owner, thread);
  }

  // Each value is a part of its own of series 1.
  delta::Ref keep(std::string_view value) {
    delta::Recipe recipe;
    recipe.add_range(static_cast<std::uint64_t>(log_size_), value.size());
    insert("INSERT INTO checkpoint_series_parts (series, at, size, data) VALUES (1, $1, $2, $3)", log_size_,
           value.size(), Blob{delta::pack(value)});
    log_size_ += std::ssize(value);
    return {1, recipe.encode()};
  }
  delta::CutDocument cut(std::string_view text, json::View object) {
    return delta::cut(text, object, [&](const std::string&, std::string_view value) { return keep(value); });
  }

  static NewCheckpoint checkpoint(const std::string& thread, const std::string& ns, const std::string& id) {
    NewCheckpoint c;
    c.key = {thread, ns, id};
    return c;
  }
  void put_checkpoint(const NewCheckpoint& c) {
    const auto projection = cut(c.projection, json::View(c.projection)["values"]);
    std::string cuts;
    if (!projection.cuts.empty()) delta::put_cuts(cuts, projection.cuts);
    insert("INSERT INTO checkpoints VALUES ($1, $2, $3, $4, $5, '', 0, $6, $7, $8, $9, $10, $11)",
           c.key.thread_id, c.key.ns, c.key.checkpoint_id, c.parent_id, c.run_id, c.metadata,
           c.channel_versions, c.checkpoint.type, Blob{c.checkpoint.data}, projection.text, Blob{cuts});
    for (const auto& value : c.values) put_value(c.key, value);
  }
  void put_value(const CheckpointKey& key, const ChannelValue& value) {
    const bool large = value.value.data.size() >= delta::smallest_cut;
    const auto ref = large ? keep(value.value.data) : delta::Ref{0, value.value.data};
    insert("INSERT INTO checkpoint_values VALUES ($1, $2, $3, $4, $5, $6, $7)", key.thread_id, key.ns,
           value.channel, value.version, value.value.type, ref.series, Blob{ref.recipe});
  }
  void put_write(const CheckpointKey& key, const StoredWrite& w) {
    insert("INSERT INTO checkpoint_writes VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)", key.thread_id, key.ns,
           key.checkpoint_id, w.task_id, w.write.idx, w.task_path, w.write.channel, w.write.value.type,
           Blob{w.write.value.data});
  }

  // Frames of a run as one segment; those of `values` are cut.
  void put_segment(const std::string& run, std::int64_t first, const std::vector<Frame>& frames) {
    std::string data;
    FrameCuts cuts;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      auto frame = frames[i];
      if (frame.event == "values") {
        auto document = cut(frame.data, json::View(frame.data));
        frame.data = std::move(document.text);
        if (!document.cuts.empty()) cuts[i] = std::move(document.cuts);
      }
      encode_frame(data, frame, static_cast<std::int64_t>(i));
    }
    insert("INSERT INTO run_segments VALUES ($1, $2, $3, 0, 1, $4, $5)", run, first, frames.size(),
           Blob{data}, Blob{encode_cuts(cuts)});
  }

 private:
  std::int64_t log_size_ = 0;
};

}  // namespace dg::store::postgres::testing
