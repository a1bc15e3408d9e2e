// The parameters of a statement in PostgreSQL's binary format.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/env.hpp"
#include "store/pack/rows.hpp"

namespace dg::store::postgres {

// Bytes for a column of bytea, where text is for a column of text.
struct Blob {
  std::string bytes;

  bool operator==(const Blob&) const = default;
};

// JSON text for a column of jsonb, which the server takes apart: no \u0000, numbers that it can hold.
struct Jsonb {
  std::string text;
};

// Microseconds between 1970 and 2000, where PostgreSQL's time begins.
inline constexpr std::int64_t postgres_epoch = 946684800000000;

template <class T>
struct WireType;  // oid, array_oid (pg_type.dat), put(out, value)

inline void put_big_endian(std::string& out, std::integral auto value) {
  const auto swapped = std::byteswap(value);
  char bytes[sizeof swapped];
  std::memcpy(bytes, &swapped, sizeof swapped);
  out.append(bytes, sizeof swapped);
}

template <>
struct WireType<std::string> {
  static constexpr unsigned oid = 25, array_oid = 1009;
  // PostgreSQL's text has no NUL, which workers may send in names and messages: U+FFFD stands in its place,
  // also where it is looked for.
  static void put(std::string& out, std::string_view value) {
    for (auto nul = value.find('\0'); nul != value.npos; nul = value.find('\0')) {
      out += value.substr(0, nul);
      out += "\xEF\xBF\xBD";
      value.remove_prefix(nul + 1);
    }
    out += value;
  }
};
template <>
struct WireType<Blob> {
  static constexpr unsigned oid = 17, array_oid = 1001;
  static void put(std::string& out, const Blob& value) { out += value.bytes; }
};
template <>
struct WireType<pack::Bytes> {
  static constexpr unsigned oid = 17, array_oid = 1001;
  static void put(std::string& out, const pack::Bytes& value) { out += value.bytes; }
};
template <>
struct WireType<Jsonb> {
  static constexpr unsigned oid = 3802, array_oid = 3807;
  static void put(std::string& out, const Jsonb& value) {
    constexpr char version = 1;
    out += version;
    out += value.text;
  }
};
template <>
struct WireType<std::int64_t> {
  static constexpr unsigned oid = 20, array_oid = 1016;
  static void put(std::string& out, std::int64_t value) { put_big_endian(out, value); }
};
template <>
struct WireType<bool> {
  static constexpr unsigned oid = 16, array_oid = 1000;
  static void put(std::string& out, bool value) { out += static_cast<char>(value ? 1 : 0); }
};
template <>
struct WireType<WallTime> {
  static constexpr unsigned oid = 1184, array_oid = 1185;
  static void put(std::string& out, WallTime value) {
    put_big_endian(out, to_micros(value) - postgres_epoch);
  }
};

// What a C++ type is on the wire: views are text, integers are eight bytes.
template <class T>
struct WireOf {
  using type = T;
};
template <std::integral T>
  requires(!std::same_as<T, bool>)
struct WireOf<T> {
  using type = std::int64_t;
};
template <>
struct WireOf<std::string_view> {
  using type = std::string;
};
template <class T>
struct WireOf<std::optional<T>> : WireOf<T> {};
template <class T>
using Wire = WireType<typename WireOf<T>::type>;

class Params {
 public:
  Params() = default;
  template <class... Values>
  explicit Params(const Values&... values) {
    (add(values), ...);
  }

  template <class T>
  Params& add(const T& value) {
    begin(Wire<T>::oid);
    Wire<T>::put(bytes_, value);
    return end();
  }
  template <std::size_t size>
  Params& add(const char (&text)[size]) {
    return add(std::string_view(text));
  }
  template <class T>
  Params& add(const std::optional<T>& value) {
    if (value) return add(*value);
    begin(Wire<T>::oid);
    lengths_.push_back(null);
    return *this;
  }
  // An array of one dimension; an empty optional among its elements is a null.
  template <class T>
  Params& add(const std::vector<T>& values) {
    return add_column(values, [](const T& value) -> const T& { return value; });
  }
  // An array of what `projection`, a member or a function, gives of each of the items.
  template <class Items, class Projection>
  Params& add_column(const Items& items, Projection projection) {
    using T = std::remove_cvref_t<std::invoke_result_t<Projection, decltype(*items.begin())>>;
    begin(Wire<T>::array_oid);
    put_big_endian(bytes_, std::int32_t{items.empty() ? 0 : 1});
    put_big_endian(bytes_, std::int32_t{1});  // there may be nulls
    put_big_endian(bytes_, static_cast<std::int32_t>(Wire<T>::oid));
    if (!items.empty()) {
      put_big_endian(bytes_, static_cast<std::int32_t>(items.size()));
      put_big_endian(bytes_, std::int32_t{1});
    }
    for (const auto& item : items) add_element<T>(std::invoke(projection, item));
    return end();
  }

  int count() const { return static_cast<int>(oids_.size()); }
  std::size_t size() const { return bytes_.size(); }
  const unsigned* oids() const { return oids_.data(); }
  const int* lengths() const { return lengths_.data(); }
  bool is_null(std::size_t i) const { return lengths_[i] == null; }
  const char* at(std::size_t i) const { return bytes_.data() + starts_[i]; }

 private:
  static constexpr int null = -1;

  void begin(unsigned oid) {
    oids_.push_back(oid);
    starts_.push_back(bytes_.size());
  }
  Params& end() {
    lengths_.push_back(static_cast<int>(bytes_.size() - starts_.back()));
    return *this;
  }
  template <class T>
  void add_element(const T& value) {
    if constexpr (requires { value.has_value(); }) {
      if (!value) return put_big_endian(bytes_, std::int32_t{null});
      put_sized<T>(*value);
    } else {
      put_sized<T>(value);
    }
  }
  template <class T>
  void put_sized(const auto& value) {
    const auto length_at = bytes_.size();
    bytes_.append(4, '\0');
    Wire<T>::put(bytes_, value);
    const auto length = std::byteswap(static_cast<std::int32_t>(bytes_.size() - length_at - 4));
    std::memcpy(bytes_.data() + length_at, &length, sizeof length);
  }

  std::string bytes_;
  std::vector<std::size_t> starts_;
  std::vector<unsigned> oids_;
  std::vector<int> lengths_;
};

}  // namespace dg::store::postgres
