// How the audit reads and writes the read tables: under which names and types their columns are kept.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/json.hpp"
#include "store/postgres/audit_scans.hpp"
#include "store/postgres/tables.hpp"

namespace dg::store::postgres {
namespace {

using audit::ReadRow;
using audit::ReadTable;

enum class Kind { text, number, flag, time };

struct Column {
  std::string_view name;    // to the audit
  std::string_view stored;  // here
  Kind kind;
};

// What is kept under another name, or is no text.
constexpr Column special_columns[] = {
    {"number", "version", Kind::number},
    {"newest_number", "newest_version", Kind::number},
    {"state", "status", Kind::text},
    {"request", "kwargs", Kind::text},
    {"epoch", "lease_epoch", Kind::number},
    {"attempt", "attempt", Kind::number},
    {"session_id", "worker_id", Kind::text},
    {"temporary", "temporary", Kind::flag},
    {"has_checkpoint", "has_checkpoint", Kind::flag},
    {"resumable", "resumable", Kind::flag},
    {"has_frames", "has_frames", Kind::flag},
    {"not_before", "not_before", Kind::time},
    {"created_at", "created_at", Kind::time},
    {"updated_at", "updated_at", Kind::time},
    {"state_updated_at", "state_updated_at", Kind::time},
};

Column column_of(std::string_view name) {
  const auto* const found = std::ranges::find(special_columns, name, &Column::name);
  return found == std::end(special_columns) ? Column{name, name, Kind::text} : *found;
}

// An expression for the column as the audit's text.
std::string read_as_text(const Column& column) {
  switch (column.kind) {
    case Kind::text:
      return fmt::format("t.{}", column.stored);
    case Kind::number:
      return fmt::format("t.{}::text", column.stored);
    case Kind::flag:
      return fmt::format("t.{}::integer::text", column.stored);
    case Kind::time:
      return fmt::format("(extract(epoch FROM t.{}) * 1000000)::bigint::text", column.stored);
  }
  return {};
}

// An expression for what the parameter, such a text, is in the column.
std::string from_text(Kind kind, std::size_t place) {
  switch (kind) {
    case Kind::text:
      return fmt::format("${}", place);
    case Kind::number:
      return fmt::format("${}::bigint", place);
    case Kind::flag:
      return fmt::format("${}::integer::boolean", place);
    case Kind::time:
      return fmt::format("timestamptz 'epoch' + ${}::bigint * interval '1 microsecond'", place);
  }
  return {};
}

constexpr std::string_view version_of_head =
    "coalesce((SELECT version FROM event_streams WHERE aggregate_id = $1 AND aggregate_type = 'run'), 0)";

bool has_search(ReadTable table) {
  return table == ReadTable::assistants || table == ReadTable::threads;
}

std::size_t place_of(ReadTable table, std::string_view name) {
  const auto names = audit::columns(table);
  return static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
}

// The one column of a table that only repeats what others say, as it is selected, and where from.
std::pair<std::string_view, std::string_view> repeated_column(ReadTable table) {
  if (has_search(table)) return {"t.search::text", ""};
  if (table != ReadTable::runs) return {"NULL", ""};
  return {"t.version = coalesce(h.version, 0)",
          "LEFT JOIN event_streams AS h ON h.aggregate_id = t.id AND h.aggregate_type = 'run'"};
}

bool is_searchable(std::string_view search, const std::string& metadata) {
  const auto expected = searchable(metadata).text;
  return json::validate(expected, json::worker_rules) &&
         json::equal(json::View(search), json::View(expected));
}

template <ReadTable table>
ReadRow read_read_row(Rows& row) {
  ReadRow out;
  out.id = row.text();
  out.number = row.integer();
  const auto names = audit::columns(table);
  for (std::size_t i = 0; i < names.size(); ++i) out.columns.push_back(row.optional_text());
  if constexpr (table == ReadTable::runs) {
    if (!row.flag()) out.wrong_columns.emplace_back("version");
  } else if constexpr (table != ReadTable::assistant_versions) {
    const auto& metadata = out.columns.at(place_of(table, "metadata"));
    if (!is_searchable(row.view(), metadata.value_or(""))) out.wrong_columns.emplace_back("search");
  }
  return out;
}

template <ReadTable table>
audit::Rows<ReadRow> scan_table(BlockingSession& session) {
  const bool numbered = audit::key_columns(table).size() > 1;
  const auto key = audit::key_columns(table)[0];
  std::vector<std::string> selected;
  for (const auto name : audit::columns(table)) selected.push_back(read_as_text(column_of(name)));
  const auto [repeated, joined] = repeated_column(table);
  return scan(session,
              fmt::format("SELECT t.{}, {}, {}, {} FROM {} AS t {} ORDER BY t.{}{}", key,
                          numbered ? "t.version" : "0::bigint", fmt::join(selected, ", "), repeated,
                          to_string(table), joined, key, numbered ? ", t.version" : ""),
              read_read_row<table>);
}

}  // namespace

audit::Rows<ReadRow> scan_read_rows(BlockingSession& session, ReadTable table) {
  switch (table) {
    case ReadTable::assistants:
      return scan_table<ReadTable::assistants>(session);
    case ReadTable::assistant_versions:
      return scan_table<ReadTable::assistant_versions>(session);
    case ReadTable::threads:
      return scan_table<ReadTable::threads>(session);
    case ReadTable::runs:
      break;
  }
  return scan_table<ReadTable::runs>(session);
}

void put_read_row(BlockingSession& session, ReadTable table, const ReadRow& row) {
  std::vector<std::string_view> names{audit::key_columns(table)[0]};
  std::vector<std::string> values{"$1"};
  Params params(row.id);
  const auto add = [&](std::string_view name, const auto& value) {
    const auto column = column_of(name);
    params.add(value);
    names.push_back(column.stored);
    values.push_back(from_text(column.kind, static_cast<std::size_t>(params.count())));
  };
  if (table == ReadTable::assistant_versions) add("number", std::to_string(row.number));
  for (std::size_t i = 0; i < row.columns.size(); ++i) add(audit::columns(table)[i], row.columns[i]);
  if (table == ReadTable::runs) {
    names.emplace_back("version");
    values.emplace_back(version_of_head);
  } else if (has_search(table)) {
    params.add(searchable(row.columns.at(place_of(table, "metadata")).value_or("{}")));
    names.emplace_back("search");
    values.push_back(fmt::format("${}", params.count()));
  }
  session.run(fmt::format("INSERT INTO {} ({}) VALUES ({})", to_string(table), fmt::join(names, ", "),
                          fmt::join(values, ", ")),
              params);
}

void erase_read_row(BlockingSession& session, ReadTable table, const ReadRow& row) {
  if (table == ReadTable::assistant_versions) {
    session.run("DELETE FROM assistant_versions WHERE assistant_id = $1 AND version = $2",
                Params(row.id, row.number));
  } else {
    session.run(fmt::format("DELETE FROM {} WHERE id = $1", to_string(table)), Params(row.id));
  }
}

}  // namespace dg::store::postgres
