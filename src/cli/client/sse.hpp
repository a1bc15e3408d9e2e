// Server-sent events, read piece by piece as they arrive.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace dg::cli {

struct SseEvent {
  std::string id;  // the last id that the stream gave, here or before; empty: none yet
  std::string event = "message";
  std::string data;  // several data lines are joined by newlines
};

// An incremental parser (WHATWG, "event stream"). Bytes may be cut anywhere; lines may end with LF,
// CR or CRLF. An event that its blank line has not ended is never given out, so that the id of the
// last event given is the place to go on from.
class SseParser {
 public:
  explicit SseParser(std::function<void(const SseEvent&)> on_event) : on_event_(std::move(on_event)) {}

  void feed(std::string_view bytes);
  // Forgets what is unfinished, as at the start of a new connection; the last id stays.
  void restart();

 private:
  void line(std::string_view text);
  void dispatch();

  std::function<void(const SseEvent&)> on_event_;
  std::string line_;
  bool after_cr_ = false;
  bool first_line_ = true;
  std::string id_;
  std::string event_;
  std::string data_;
  bool has_data_ = false;
};

}  // namespace dg::cli
