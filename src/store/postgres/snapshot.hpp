// Reads of several statements that see one moment of the database.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "store/postgres/connection.hpp"
#include "store/postgres/series_values.hpp"

namespace dg::store::postgres {

// A transaction for reading that begins with its first statements and ends with its last, so that neither
// takes a round trip. One that fails is left open: whoever runs the read rolls it back. The connection
// outlives it.
class Snapshot {
 public:
  // Whether the transaction is held until large values were read. What names them says all about them: parts
  // of a log are never changed, only merged and removed. So they may be read later, and where some were
  // removed meanwhile the read begins again and holds it.
  enum class Hold { for_rows, for_values };
  enum class Then { more, done };

  explicit Snapshot(Connection& db, Hold hold = Hold::for_values) : db_(db), hold_(hold) {}
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  // What follows is planned anew for the values that it is asked with: searches, whose best plan depends on
  // them. Before anything was read.
  void plan_for_values() { plans_for_values_ = true; }

  // The rows of each statement. `done`: no rows are read after these.
  Task<Outcome<std::vector<Rows>>> run(Pipeline pipeline, Then then);
  // Reads the parts of what is wanted. `done`: nothing is read after these.
  Task<Outcome<void>> load(SeriesValues& values, Then then);
  // Ends the transaction if it is open.
  Task<Outcome<void>> end();

 private:
  Task<Outcome<std::vector<Rows>>> run_in_transaction(Pipeline pipeline, bool last);

  Connection& db_;
  Hold hold_;
  bool plans_for_values_ = false;
  bool open_ = false;
};

// A statement whose rows are read a bounded number at a time. Its text comes from a bounded set.
class Walk {
 public:
  static constexpr std::int64_t usual_rows = 200;

  // `name` is of the kind of its rows. The snapshot outlives the walk, holds until its end, and has no other
  // of that name.
  Walk(Snapshot& snapshot, std::string_view name, std::string_view select, Params params,
       std::int64_t most_rows = usual_rows);

  // The rows that come next; none at the end.
  Task<Outcome<Rows>> next();

 private:
  Snapshot& snapshot_;
  std::string declare_;
  std::string fetch_;
  Params params_;
  std::int64_t most_rows_;
  bool begun_ = false;
  bool ended_ = false;
};

// Reads rows that name large values, and what they name: `read_rows` gives the rows, the last ones with
// Then::done, and says which values are wanted; `finish` puts the values in.
template <class T>
Task<Outcome<T>> read_with_values(Connection& db,
                                  std::function<Task<Outcome<T>>(Snapshot&, SeriesValues&)> read_rows,
                                  std::function<void(T&, SeriesValues&)> finish) {
  auto hold = Snapshot::Hold::for_rows;
  while (true) {
    Snapshot snapshot(db, hold);
    SeriesValues values;
    auto rows = co_await read_rows(snapshot, values);
    if (!rows) co_return fail_with(std::move(rows.error()));
    if (auto loaded = co_await snapshot.load(values, Snapshot::Then::done); !loaded)
      co_return fail_with(std::move(loaded.error()));
    finish(*rows, values);
    if (!values.has_failed()) co_return std::move(*rows);
    if (hold == Snapshot::Hold::for_values) co_return fail_with(values.failure());
    hold = Snapshot::Hold::for_values;
  }
}

// Whether a statement failed because of the data it was given: a document that jsonb cannot hold, a text with
// NUL.
inline bool is_data_exception(const Failure& failure) {
  return failure.sqlstate.starts_with("22");
}

}  // namespace dg::store::postgres
