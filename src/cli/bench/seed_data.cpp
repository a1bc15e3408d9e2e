#include "cli/bench/seed_data.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <vector>

#include "store/postgres/blocking_session.hpp"

namespace dg::cli::bench {
namespace {

using store::postgres::BlockingSession;

constexpr std::int64_t copies_per_statement = 20'000;
constexpr std::size_t fixed_part = 24;  // of a UUID; the rest is the copy's number

struct SeededTable {
  const char* name;
  const char* key;  // the column that names the thread, or the run
  bool of_run;
  bool is_state;
};
constexpr std::array seeded_tables{SeededTable{"event_streams", "aggregate_id", false, false},
                                   SeededTable{"event_streams", "aggregate_id", true, false},
                                   SeededTable{"events", "aggregate_id", false, false},
                                   SeededTable{"run_events", "run_id", true, false},
                                   SeededTable{"threads", "id", false, false},
                                   SeededTable{"runs", "id", true, false},
                                   SeededTable{"checkpoints", "thread_id", false, true},
                                   SeededTable{"checkpoint_values", "thread_id", false, true},
                                   SeededTable{"checkpoint_writes", "thread_id", false, true},
                                   SeededTable{"checkpoint_tasks", "thread_id", false, true}};

// The place of an event among all comes from its sequence.
constexpr const char* select_seeded_columns = R"(
  SELECT attname, atttypid = 'text'::regtype FROM pg_attribute
  WHERE attrelid = '{}'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attidentity = ''
    AND NOT (attname = 'id' AND atttypid = 'bigint'::regtype) ORDER BY attnum)";

// `column` of a copied row, in which the ids are the copy's.
std::string copied(const std::string& column, bool is_text, const SeedTemplate& from) {
  if (column == "event_id") return fmt::format("left(s.event_id, {}) || i.hex", fixed_part);
  if (column == "has_frames") return "false";  // frames are not copied, and of these runs long erased
  if (!is_text) return "s." + column;
  return fmt::format("replace(replace(s.{0}, '{1}', '{2}' || i.hex), '{3}', '{4}' || i.hex)", column,
                     from.thread_id, from.thread_id.substr(0, fixed_part), from.run_id,
                     from.run_id.substr(0, fixed_part));
}

// A statement that copies the table's rows; {0} and {1} are the first and the last number.
std::string copy_statement(BlockingSession& session, const SeededTable& table, const SeedTemplate& from) {
  std::vector<std::string> columns;
  std::vector<std::string> values;
  for (auto rows = session.run(fmt::format(select_seeded_columns, table.name)); rows.next();) {
    columns.push_back(rows.text());
    values.push_back(copied(columns.back(), rows.flag(), from));
  }
  return fmt::format(
      "INSERT INTO {0} ({1}) SELECT {2} FROM {0} AS s CROSS JOIN "
      "(SELECT lpad(to_hex(n), 12, '0') AS hex FROM generate_series({{0}}, {{1}}) AS n WHERE n % {3} = 0) AS "
      "i "
      "WHERE s.{4} = '{5}'",
      table.name, fmt::join(columns, ", "), fmt::join(values, ", "), table.is_state ? copies_per_state : 1,
      table.key, table.of_run ? from.run_id : from.thread_id);
}

}  // namespace

std::string id_of_copy(const std::string& id, std::int64_t number) {
  return fmt::format("{}{:012x}", id.substr(0, fixed_part), number);
}

Status seed_runs(const store::postgres::Conninfo& database, const SeedTemplate& from, std::int64_t copies,
                 const std::function<void(std::int64_t)>& progress) {
  auto opened = BlockingSession::open(database);
  if (!opened) return fail(opened.error().to_error());
  auto& session = **opened;
  session.run("SET synchronous_commit = off");
  std::vector<std::string> statements;
  for (const auto& table : seeded_tables) statements.push_back(copy_statement(session, table, from));
  for (std::int64_t first = 1; first <= copies; first += copies_per_statement) {
    const auto last = std::min(first + copies_per_statement - 1, copies);
    for (const auto& statement : statements) session.run(fmt::format(fmt::runtime(statement), first, last));
    if (session.failure()) return session.status();
    progress(last);
  }
  for (const auto& table : seeded_tables) session.run(fmt::format("VACUUM (ANALYZE) {}", table.name));
  session.run("CHECKPOINT");
  return session.status();
}

}  // namespace dg::cli::bench
