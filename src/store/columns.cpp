#include "store/columns.hpp"

namespace dg::store {

domain::AggregateType aggregate_from(std::string_view text) {
  using enum domain::AggregateType;
  return enum_from(text, {run, thread, assistant});
}

// The domain writes a cancel's action but has no reason to read it.
domain::CancelAction cancel_from(std::string_view text) {
  using enum domain::CancelAction;
  return enum_from(text, {none, interrupt, rollback, time_out});
}

std::string_view to_text(LeaseKind kind) {
  return kind == LeaseKind::run ? "run" : "operation";
}

std::string json_list(const std::vector<std::string>& labels) {
  json::Writer out;
  out.begin_array();
  for (const auto& label : labels) out.string(label);
  out.end_array();
  return out.take();
}

std::vector<std::string> list_from(std::string_view json) {
  std::vector<std::string> out;
  for (const auto element : json::View(json).elements()) out.push_back(element.string());
  return out;
}

std::string namespace_key(const std::vector<std::string>& labels) {
  constexpr char escape = '\x1e';
  std::string out;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (i > 0) out.push_back(namespace_separator);
    for (const char c : labels[i]) {
      if (c == escape) {
        out +=
            "\x1e"
            "1";
      } else if (c == namespace_separator) {
        out +=
            "\x1e"
            "2";
      } else {
        out.push_back(c);
      }
    }
  }
  return out;
}

}  // namespace dg::store
