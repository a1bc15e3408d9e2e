// Reading what the audit is given from a cursor's current row, whose columns come in the order of the
// members.
#pragma once

#include <string>

#include "base/json.hpp"
#include "store/audit/port.hpp"
#include "store/documents.hpp"
#include "store/frame_codec.hpp"

namespace dg::store::audit {

template <class Row>
StoredHead read_head(Row& row) {
  StoredHead out;
  out.id = row.text();
  out.aggregate = row.text();
  out.version = row.integer();
  out.seq = row.integer();
  out.turn = row.integer();
  out.erased = row.flag();
  return out;
}

template <class Row>
StoredEvent read_event(Row& row) {
  StoredEvent out;
  out.aggregate_id = row.text();
  out.aggregate = row.text();
  out.version = row.integer();
  out.type = row.text();
  out.thread_id = row.text();
  out.seq = row.integer();
  out.at = row.time();
  out.erased = row.flag();
  out.payload = row.text();
  return out;
}

template <class Row>
std::string read_id(Row& row) {
  return row.text();
}

// Its bytes are read, not kept.
template <class Row>
StoredSegment read_segment(Row& row) {
  StoredSegment out;
  out.first_no = row.integer();
  out.count = row.integer();
  const auto first_seq = row.integer();
  FrameReader reader(row.view());
  for (FrameView frame; reader.next(frame);) out.places.push_back(first_seq + frame.offset);
  out.whole = reader.at_end();
  return out;
}

template <class Row>
NewestState read_newest_state(Row& row) {
  NewestState out;
  out.thread_id = row.text();
  out.has_next = row.flag();
  return out;
}

template <class Row>
KeptState read_kept(Row& row) {
  KeptState out;
  out.thread_id = row.text();
  out.table = row.text();
  return out;
}

template <class Row>
StoredCheckpoint read_checkpoint_row(Row& row) {
  StoredCheckpoint out;
  out.key.thread_id = row.text();
  out.key.ns = row.text();
  out.key.checkpoint_id = row.text();
  out.run_id = row.text();
  out.writer_erased = row.flag();
  out.versions = channel_versions(row.view());
  const auto metadata_run_id = row.text();
  if (json::View(row.view())["run_id"].string() != metadata_run_id)
    out.wrong_columns.emplace_back("metadata_run_id");
  const bool has_next = row.flag();
  if (!json::View(row.view())["next"].elements().empty() != has_next)
    out.wrong_columns.emplace_back("has_next");
  return out;
}

template <class Row>
StoredValue read_value_key(Row& row) {
  StoredValue out;
  out.thread_id = row.text();
  out.ns = row.text();
  out.version.first = row.text();
  out.version.second = row.text();
  return out;
}

}  // namespace dg::store::audit
