#include "cli/client/watch_view.hpp"

#include <fmt/format.h>

namespace dg::cli {
namespace {

constexpr std::size_t longest_value = 400;

std::string shortened(std::string text) {
  if (text.size() <= longest_value) return text;
  std::size_t end = longest_value;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0u) == 0x80u) --end;
  return text.substr(0, end) + " …";
}

std::string plain(json::View value) {
  return value.is_string() ? value.string() : std::string(value.raw());
}

}  // namespace

std::string text_of(json::View content) {
  if (content.is_string()) return content.string();
  std::string text;
  for (const auto& block : content.elements()) {
    if (block.is_string()) text += block.string();
    if (block["type"].string() == "text") text += block["text"].string();
  }
  return text;
}

void WatchView::show(const SseEvent& event) {
  if (output_.json()) {
    json::Writer line;
    line.begin_object().key("id").string(event.id).key("event").string(event.event).key("data");
    if (json::validate(event.data, json::worker_rules)) {
      line.raw(event.data);
    } else {
      line.string(event.data);
    }
    output_.line(line.end_object().text());
    return;
  }
  if (!json::validate(event.data, json::worker_rules)) return;
  const json::View data(event.data);
  const std::string_view kind = std::string_view(event.event).substr(0, event.event.find('|'));
  if (kind == "messages") {
    const auto parts = data.elements();
    if (!parts.empty()) message(parts[0]);
  } else if (kind == "updates") {
    updates(data);
  } else if (kind == "values") {
    interrupts(data["__interrupt__"]);
  } else if (kind == "custom") {
    own_line(Colour::cyan, "custom  " + plain(data));
  } else if (kind == "error") {
    own_line(Colour::red, fmt::format("{}: {}", data["error"].string(), data["message"].string()));
  } else if (kind == "metadata" && data["attempt"].integer().value_or(1) > 1) {
    own_line(Colour::yellow, fmt::format("attempt {}", *data["attempt"].integer()));
  }
}

void WatchView::message(json::View message) {
  const auto type = message["type"].string();
  if (type == "tool" || type == "ToolMessage" || type == "ToolMessageChunk") return tool_result(message);
  if (type != "ai" && !type.starts_with("AI")) return;
  const auto id = message["id"].string();
  if (id != speaker_) end_line();
  speaker_ = id;
  tokens(text_of(message["content"]));
  tool_calls(message);
}

// A call that comes in pieces has its name in the first piece and its arguments over all of them; a
// whole one stands in tool_calls alone.
void WatchView::tool_calls(json::View message) {
  const auto pieces = message["tool_call_chunks"].elements();
  for (const auto& piece : pieces) {
    if (auto name = piece["name"].string(); !name.empty()) {
      end_line();
      output_.data(output_.paint(Colour::yellow, "→ " + output_.printable(name)) + " ");
      open_line_ = true;
    }
    tokens(piece["args"].string());
  }
  if (!pieces.empty()) return;
  for (const auto& call : message["tool_calls"].elements()) {
    if (auto id = call["id"].string(); !id.empty() && !shown_.insert("call " + id).second) continue;
    end_line();
    own_line(Colour::yellow, fmt::format("→ {} {}", call["name"].string(), call["args"].raw()));
  }
}

void WatchView::tool_result(json::View message) {
  auto name = message["name"].string();
  own_line(Colour::dim,
           fmt::format("← {} {}", name.empty() ? "tool" : name, shortened(text_of(message["content"]))));
}

void WatchView::updates(json::View nodes) {
  for (const auto& node : nodes.members()) {
    if (node.key == "__interrupt__") {
      interrupts(node.value);
    } else {
      own_line(Colour::dim, "· " + node.key);
    }
  }
}

void WatchView::interrupts(json::View list) {
  for (const auto& interrupt : list.elements()) {
    auto id = interrupt["id"].string();
    if (id.empty()) id = interrupt.raw();
    if (!shown_.insert("interrupt " + id).second) continue;
    const auto value = interrupt["value"];
    own_line(Colour::bold, "? " + (value.is_string() ? value.string() : indent_json(value.raw())));
  }
}

void WatchView::own_line(Colour colour, std::string_view text) {
  end_line();
  output_.line(output_.paint(colour, output_.printable(text)));
}

void WatchView::tokens(std::string_view text) {
  if (text.empty()) return;
  output_.data(output_.printable(text));
  open_line_ = !text.ends_with('\n');
}

void WatchView::end_line() {
  if (open_line_ && !output_.json()) output_.data("\n");
  open_line_ = false;
}

}  // namespace dg::cli
