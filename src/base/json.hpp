// JSON as text. A document is validated once, at the edge; after that it is carried, read in place
// and spliced into other documents without being taken apart, so that what a client sent comes
// back byte for byte.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace dg::json {

enum class Kind { null, boolean, number, string, array, object };

// What a document must satisfy beyond RFC 8259.
struct Rules {
  std::size_t max_depth = 512;
  bool refuse_nul = false;           // the escape \u0000, which text columns and other languages choke on
  bool refuse_huge_numbers = false;  // numbers that no double holds, as 1e400
};

// What clients may send.
constexpr Rules client_rules{512, true, true};
// What workers may send: models and documents do produce NULs and huge numbers, and what a client sent
// comes back inside other documents.
constexpr Rules worker_rules{1024, false, false};

// Says whether `text` is one JSON document in UTF-8. Not JSON or too deep is bad_request; what a
// rule refuses is invalid_argument.
Status validate(std::string_view text, const Rules& rules);

struct Member;

// One value inside validated JSON text. It owns nothing: the text must outlive it. Reading text
// that was not validated is undefined.
class View {
 public:
  View() : text_("null") {}
  // `text` is one valid value, with or without white space around it.
  explicit View(std::string_view text);

  std::string_view raw() const { return text_; }
  Kind kind() const;
  bool is_null() const { return kind() == Kind::null; }
  bool is_object() const { return kind() == Kind::object; }
  bool is_array() const { return kind() == Kind::array; }
  bool is_string() const { return kind() == Kind::string; }
  bool is_number() const { return kind() == Kind::number; }
  bool is_bool() const { return kind() == Kind::boolean; }

  // The decoded text of a string; empty for any other kind.
  std::string string() const;
  std::optional<bool> boolean() const;
  // The number as an integer where it is one and fits (1.0 and 1e3 count), else nothing.
  std::optional<std::int64_t> integer() const;
  std::optional<double> number() const;

  // The member of an object, or nothing when it is absent or this is no object. Of members with
  // one name the last counts, as in every browser and in Python.
  std::optional<View> find(std::string_view key) const;
  // The same, with null for what is absent.
  View operator[](std::string_view key) const;

  std::vector<View> elements() const;   // of an array; else empty
  std::vector<Member> members() const;  // of an object, in the order of the text; else empty

 private:
  std::string_view text_;
};

struct Member {
  std::string key;
  View value;
};

// Appends compact JSON to a string; the caller keeps begin and end in balance. Commas are its own.
class Writer {
 public:
  Writer& begin_object();
  Writer& end_object();
  Writer& begin_array();
  Writer& end_array();
  Writer& key(std::string_view name);
  Writer& string(std::string_view value);
  Writer& integer(std::int64_t value);
  Writer& number(double value);  // infinities and NaN become null
  Writer& boolean(bool value);
  Writer& null();
  // Splices text that is valid JSON already.
  Writer& raw(std::string_view json);
  // A string, or null where there is none.
  Writer& optional_string(const std::optional<std::string>& value);

  const std::string& text() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  void separate();
  std::string out_;
  bool need_comma_ = false;
};

std::string quote(std::string_view text);

// Structural equality: order of members does not count, nor those of one name but the last; numbers compare
// by value.
bool equal(View a, View b);
// PostgreSQL's jsonb containment, @>: objects contain objects member by member, arrays contain
// arrays element by element in any order, and an array that is `whole` itself contains a scalar that is one
// of its elements.
bool contains(View whole, View part);
// Orders two numbers or two strings; nothing when they cannot be compared.
std::optional<int> compare(View a, View b);
// The members of all parts, each overlaid by those of later ones; what is no object counts as {}.
std::string merge(std::initializer_list<View> parts);
inline std::string merge(View base, View patch) {
  return merge({base, patch});
}

}  // namespace dg::json
