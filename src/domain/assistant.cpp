#include "domain/assistant.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "domain/fields.hpp"

namespace dg::domain {
namespace {

using json::Writer;

struct Evolve {
  Assistant& assistant;
  WallTime at;

  void operator()(const AssistantCreated& e) const {
    assistant.content = e.content;
    assistant.number = assistant.newest_number = 1;
    assistant.owner = e.owner;
    assistant.created_at = at;
  }
  void operator()(const AssistantUpdated& e) const {
    assistant.content = e.content;
    assistant.number = e.number;
    assistant.newest_number = std::max(assistant.newest_number, e.number);
  }
  void operator()(const AssistantVersionChosen& e) const {
    assistant.content = e.content;
    assistant.number = e.number;
  }
  void operator()(const AssistantDeleted&) const {}
};

void write_content(Writer& out, const AssistantContent& content) {
  out.key("graph_id").string(content.graph_id).key("name").string(content.name);
  out.key("description").optional_string(content.description).key("config").raw(content.config);
  out.key("context").raw(content.context).key("metadata").raw(content.metadata);
}

AssistantContent read_content(Fields& in) {
  // A braced initialiser reads its members from left to right.
  return {in.text("graph_id"), in.text("name"),      in.optional_text("description"),
          in.object("config"), in.object("context"), in.object("metadata")};
}

struct Payload {
  Writer& out;

  void operator()(const AssistantCreated& e) const {
    write_content(out, e.content);
    write_owner(out, e.owner);
  }
  void operator()(const AssistantUpdated& e) const {
    write_content(out, e.content);
    out.key("number").integer(e.number);
  }
  void operator()(const AssistantVersionChosen& e) const {
    write_content(out, e.content);
    out.key("number").integer(e.number);
  }
  void operator()(const AssistantDeleted&) const {}
};

struct TypeName {
  std::string_view operator()(const AssistantCreated&) const { return "AssistantCreated"; }
  std::string_view operator()(const AssistantUpdated&) const { return "AssistantUpdated"; }
  std::string_view operator()(const AssistantVersionChosen&) const { return "AssistantVersionChosen"; }
  std::string_view operator()(const AssistantDeleted&) const { return "AssistantDeleted"; }
};

}  // namespace

std::string_view type_of(const AssistantEvent& event) {
  return std::visit(TypeName{}, event);
}

std::string payload_of(const AssistantEvent& event) {
  Writer out;
  out.begin_object();
  std::visit(Payload{out}, event);
  out.end_object();
  return out.take();
}

namespace {

std::optional<AssistantEvent> read_event(std::string_view type, Fields& in) {
  if (type == "AssistantCreated") return AssistantCreated{read_content(in), in.optional_text("owner")};
  if (type == "AssistantUpdated") return AssistantUpdated{read_content(in), in.number("number")};
  if (type == "AssistantVersionChosen") return AssistantVersionChosen{read_content(in), in.number("number")};
  if (type == "AssistantDeleted") return AssistantDeleted{};
  return std::nullopt;
}

}  // namespace

Result<AssistantEvent> assistant_event_from(std::string_view type, std::string_view payload) {
  return read_payload<AssistantEvent>(type, payload, read_event);
}

Assistant evolve(Assistant assistant, const AssistantEvent& event, WallTime at) {
  std::visit(Evolve{assistant, at}, event);
  ++assistant.version;
  assistant.updated_at = at;
  return assistant;
}

}  // namespace dg::domain
