// A run's frames as a person reads them.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "cli/client/output.hpp"
#include "cli/client/sse.hpp"

namespace dg::cli {

// Prints tokens as they come, tool calls and their results, which node has finished, what the graph
// writes itself, the question at an interrupt, and the error. Each interrupt is shown once, though
// several stream modes tell of it. With --json every frame is one line {"id", "event", "data"}.
class WatchView {
 public:
  explicit WatchView(Output& output) : output_(output) {}

  void show(const SseEvent& event);
  // Ends a line that tokens have left open.
  void end_line();

 private:
  void message(json::View message);
  void tool_calls(json::View message);
  void tool_result(json::View message);
  void updates(json::View nodes);
  void interrupts(json::View list);
  void own_line(Colour colour, std::string_view text);
  void tokens(std::string_view text);

  Output& output_;
  bool open_line_ = false;
  std::string speaker_;          // the message id whose tokens are on the open line
  std::set<std::string> shown_;  // ids of interrupts and tool calls
};

// The text of a message's content: a string, or the text blocks of a list.
std::string text_of(json::View content);

}  // namespace dg::cli
