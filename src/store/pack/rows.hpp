// The rows that a pack holds, as they stand in an adapter's tables. The thread is said once, by the pack.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

namespace dg::store::pack {

// A column of bytes, where a string is a column of text.
struct Bytes {
  std::string bytes;

  bool operator==(const Bytes&) const = default;
};

struct CheckpointRow {
  std::string ns;
  std::string checkpoint_id;
  std::string parent_id;
  std::string run_id;
  std::string metadata_run_id;
  std::int64_t has_next = 0;
  std::string metadata;
  std::string channel_versions;
  std::string type;
  Bytes data;
  std::string projection;
  Bytes cuts;

  bool operator==(const CheckpointRow&) const = default;
  static constexpr auto columns() {
    using R = CheckpointRow;
    return std::tuple{&R::ns,
                      &R::checkpoint_id,
                      &R::parent_id,
                      &R::run_id,
                      &R::has_next,
                      &R::metadata_run_id,
                      &R::channel_versions,
                      &R::metadata,
                      &R::type,
                      &R::data,
                      &R::projection,
                      &R::cuts};
  }
};

struct ValueRow {
  std::string ns;
  std::string channel;
  std::string version;
  std::string type;
  std::int64_t series = 0;  // 0: data is the value itself; else a recipe over that series' log
  Bytes data;

  bool operator==(const ValueRow&) const = default;
  static constexpr auto columns() {
    using R = ValueRow;
    return std::tuple{&R::ns, &R::channel, &R::version, &R::type, &R::series, &R::data};
  }
};

struct WriteRow {
  std::string ns;
  std::string checkpoint_id;
  std::string task_id;
  std::int64_t idx = 0;
  std::string task_path;
  std::string channel;
  std::string type;
  Bytes data;

  bool operator==(const WriteRow&) const = default;
  static constexpr auto columns() {
    using R = WriteRow;
    return std::tuple{&R::ns,        &R::checkpoint_id, &R::task_id, &R::idx,
                      &R::task_path, &R::channel,       &R::type,    &R::data};
  }
};

struct TaskRow {
  std::string ns;
  std::string checkpoint_id;
  std::string task_id;
  std::string patch;

  bool operator==(const TaskRow&) const = default;
  static constexpr auto columns() {
    using R = TaskRow;
    return std::tuple{&R::ns, &R::checkpoint_id, &R::task_id, &R::patch};
  }
};

// An event of a run, in the log of the pack's thread.
struct EventRow {
  std::string id;
  std::string run_id;
  std::int64_t version = 0;
  std::string type;
  std::string payload;
  std::string metadata;
  std::int64_t seq = 0;
  std::int64_t at = 0;  // microseconds since 1970

  bool operator==(const EventRow&) const = default;
  static constexpr auto columns() {
    using R = EventRow;
    return std::tuple{&R::id, &R::run_id, &R::version, &R::type, &R::payload, &R::metadata, &R::seq, &R::at};
  }
};

// What a run's row keeps in the pack.
struct RequestRow {
  std::string run_id;
  std::string request;

  bool operator==(const RequestRow&) const = default;
  static constexpr auto columns() {
    using R = RequestRow;
    return std::tuple{&R::run_id, &R::request};
  }
};

// Events lie in the order of their versions, values and writes in that of their rows.
struct Contents {
  std::vector<CheckpointRow> checkpoints{};
  std::vector<ValueRow> values{};  // all that its checkpoints name, so that it can be read alone
  std::vector<WriteRow> writes{};
  std::vector<TaskRow> tasks{};
  std::vector<EventRow> events{};
  std::vector<RequestRow> requests{};

  bool operator==(const Contents&) const = default;
  // The checkpoint of that id; null when it is not here.
  const CheckpointRow* find(std::string_view ns, std::string_view checkpoint_id) const;
};

}  // namespace dg::store::pack
