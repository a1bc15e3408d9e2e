#include "cli/client/sse.hpp"

namespace dg::cli {

void SseParser::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (after_cr_ && bytes.front() == '\n') bytes.remove_prefix(1);
    after_cr_ = false;
    const auto end = bytes.find_first_of("\r\n");
    line_.append(bytes.substr(0, end));
    if (end == std::string_view::npos) return;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    std::string complete;
    complete.swap(line_);
    line(complete);
  }
}

void SseParser::restart() {
  line_.clear();
  event_.clear();
  data_.clear();
  has_data_ = after_cr_ = false;
  first_line_ = true;
}

void SseParser::line(std::string_view text) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (first_line_ && text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  first_line_ = false;
  if (text.empty()) return dispatch();
  const auto colon = text.find(':');
  const auto field = text.substr(0, colon);
  auto value = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    if (has_data_) data_ += '\n';
    data_ += value;
    has_data_ = true;
  } else if (field == "event") {
    event_ = value;
  } else if (field == "id" && value.find('\0') == std::string_view::npos) {
    id_ = value;
  }
}

void SseParser::dispatch() {
  if (has_data_) {
    SseEvent event{id_, event_.empty() ? "message" : event_, std::move(data_)};
    on_event_(event);
  }
  event_.clear();
  data_.clear();
  has_data_ = false;
}

}  // namespace dg::cli
