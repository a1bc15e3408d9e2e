// Scans that are made of others, or some rows at a time, as adapters of the port need them.
#pragma once

#include <deque>
#include <memory>
#include <utility>

#include "store/audit/port.hpp"

namespace dg::store::audit {

// Rows that are made some at a time.
template <class T>
class BatchScan : public Scan<T> {
 public:
  const T* next() final {
    if (!waiting_.empty()) waiting_.pop_front();
    while (waiting_.empty() && add_to(waiting_)) {
    }
    return waiting_.empty() ? nullptr : &waiting_.front();
  }

 private:
  // Adds the next ones, if any; false behind the last.
  virtual bool add_to(std::deque<T>& out) = 0;

  std::deque<T> waiting_;
};

// What a table and the packs hold, in the order of keys. `once`: where both have a key, one row is given.
template <class T, class Key>
class MergedScan final : public Scan<T> {
 public:
  MergedScan(Rows<T> rows, Rows<T> packed, Key key, bool once)
      : rows_(std::move(rows)), packed_(std::move(packed)), key_(key), once_(once) {}

  const T* next() override {
    const auto* const row = rows_.peek();
    const auto* const packed = packed_.peek();
    if (row == nullptr && packed == nullptr) return nullptr;
    auto& from = row == nullptr || (packed != nullptr && key_(*packed) < key_(*row)) ? packed_ : rows_;
    row_ = *from.peek();
    from.skip();
    while (once_ && packed_.peek() != nullptr && key_(*packed_.peek()) == key_(row_)) packed_.skip();
    return &row_;
  }

 private:
  Ahead<T> rows_;
  Ahead<T> packed_;
  Key key_;
  bool once_;
  T row_{};
};

template <class T, class Key>
Rows<T> merged(Rows<T> rows, Rows<T> packed, Key key, bool once = false) {
  return std::make_unique<MergedScan<T, Key>>(std::move(rows), std::move(packed), key, once);
}

}  // namespace dg::store::audit
