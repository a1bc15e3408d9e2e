// Holding a read table against what it must hold.
#pragma once

#include "store/audit/port.hpp"

namespace dg::store::audit {

// Is told of each row that is not as it must be. Without `expected` it must not be there, without
// `stored` it is missing.
class Differences {
 public:
  virtual ~Differences() = default;
  virtual void differs(ReadTable table, const ReadRow* expected, const ReadRow* stored) = 0;
};

// Goes through the rows of one table, which are to be expected in the order of their keys.
class TableMatch {
 public:
  TableMatch(Audit& audit, ReadTable table, Differences& differences)
      : stored_(audit.rows(table)), table_(table), differences_(differences) {}

  void expect(const ReadRow& row);
  // What the table must hold for this id is not known: its rows are passed over.
  void pass_over(const std::string& id);
  // No more rows are expected.
  void finish();

 private:
  void refuse_stored();

  Ahead<ReadRow> stored_;
  ReadTable table_;
  Differences& differences_;
};

}  // namespace dg::store::audit
