#include "store/audit/table_match.hpp"

#include <tuple>

namespace dg::store::audit {
namespace {

auto key_of(const ReadRow& row) {
  return std::tie(row.id, row.number);
}

}  // namespace

void TableMatch::refuse_stored() {
  differences_.differs(table_, nullptr, stored_.peek());
  stored_.skip();
}

void TableMatch::expect(const ReadRow& row) {
  while (stored_.peek() != nullptr && key_of(*stored_.peek()) < key_of(row)) refuse_stored();
  const auto* const stored = stored_.peek();
  if (stored == nullptr || key_of(*stored) != key_of(row)) return differences_.differs(table_, &row, nullptr);
  if (stored->columns != row.columns || !stored->wrong_columns.empty())
    differences_.differs(table_, &row, stored);
  stored_.skip();
}

void TableMatch::pass_over(const std::string& id) {
  while (stored_.peek() != nullptr && stored_.peek()->id < id) refuse_stored();
  while (stored_.peek() != nullptr && stored_.peek()->id == id) stored_.skip();
}

void TableMatch::finish() {
  while (stored_.peek() != nullptr) refuse_stored();
}

}  // namespace dg::store::audit
