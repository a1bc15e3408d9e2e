#include "domain/thread.hpp"

#include "base/json.hpp"
#include "domain/fields.hpp"
#include "domain/names.hpp"

namespace dg::domain {
namespace {

using json::View;
using json::Writer;

constexpr Names<ThreadStatus, 4> statuses{{{ThreadStatus::idle, "idle"},
                                           {ThreadStatus::busy, "busy"},
                                           {ThreadStatus::interrupted, "interrupted"},
                                           {ThreadStatus::error, "error"}}};

struct Evolve {
  Thread& thread;
  WallTime at;

  void operator()(const ThreadCreated& e) const {
    thread.metadata = e.metadata;
    thread.temporary = e.temporary;
    thread.owner = e.owner;
    thread.created_at = at;
  }
  void operator()(const ThreadPatched& e) const { merge(e.metadata); }
  void operator()(const ThreadBound& e) const {
    const auto ids = Writer()
                         .begin_object()
                         .key("graph_id")
                         .string(e.graph_id)
                         .key("assistant_id")
                         .string(e.assistant_id)
                         .end_object()
                         .take();
    merge(ids);
    thread.config = e.config;
  }
  void operator()(const ThreadStateUpdated&) const {}
  void operator()(const ThreadCopied& e) const {
    thread.metadata = e.metadata;
    thread.config = e.config;
    thread.owner = e.owner;
    thread.created_at = at;
  }
  void operator()(const ThreadDeleted&) const {}

 private:
  void merge(const std::string& patch) const {
    thread.metadata = json::merge(View(thread.metadata), View(patch));
  }
};

struct Payload {
  Writer& out;

  void operator()(const ThreadCreated& e) const {
    out.key("metadata").raw(e.metadata);
    if (e.temporary) out.key("temporary").boolean(true);
    write_owner(out, e.owner);
  }
  void operator()(const ThreadPatched& e) const { out.key("metadata").raw(e.metadata); }
  void operator()(const ThreadBound& e) const {
    out.key("graph_id")
        .string(e.graph_id)
        .key("assistant_id")
        .string(e.assistant_id)
        .key("config")
        .raw(e.config);
  }
  void operator()(const ThreadStateUpdated& e) const {
    out.key("checkpoint_id").string(e.checkpoint_id).key("ns").string(e.ns);
  }
  void operator()(const ThreadCopied& e) const {
    out.key("source").string(e.source).key("metadata").raw(e.metadata).key("config").raw(e.config);
    write_owner(out, e.owner);
  }
  void operator()(const ThreadDeleted&) const {}
};

struct TypeName {
  std::string_view operator()(const ThreadCreated&) const { return "ThreadCreated"; }
  std::string_view operator()(const ThreadPatched&) const { return "ThreadPatched"; }
  std::string_view operator()(const ThreadBound&) const { return "ThreadBound"; }
  std::string_view operator()(const ThreadStateUpdated&) const { return "ThreadStateUpdated"; }
  std::string_view operator()(const ThreadCopied&) const { return "ThreadCopied"; }
  std::string_view operator()(const ThreadDeleted&) const { return "ThreadDeleted"; }
};

}  // namespace

std::string_view to_string(ThreadStatus status) {
  return name_of(statuses, status);
}
std::optional<ThreadStatus> thread_status_from(std::string_view text) {
  return value_of(statuses, text);
}

std::string_view type_of(const ThreadEvent& event) {
  return std::visit(TypeName{}, event);
}

std::string payload_of(const ThreadEvent& event) {
  Writer out;
  out.begin_object();
  std::visit(Payload{out}, event);
  out.end_object();
  return out.take();
}

namespace {

std::optional<ThreadEvent> read_event(std::string_view type, Fields& in) {
  // A braced initialiser reads its members from left to right.
  if (type == "ThreadCreated")
    return ThreadCreated{in.object("metadata"), in.flag_if_there("temporary"), in.optional_text("owner")};
  if (type == "ThreadPatched") return ThreadPatched{in.object("metadata")};
  if (type == "ThreadBound")
    return ThreadBound{in.text("graph_id"), in.text("assistant_id"), in.object("config")};
  if (type == "ThreadStateUpdated")
    return ThreadStateUpdated{in.text("checkpoint_id"), in.optional_text("ns").value_or("")};
  if (type == "ThreadCopied")
    return ThreadCopied{in.text("source"), in.object("metadata"), in.object("config"),
                        in.optional_text("owner")};
  if (type == "ThreadDeleted") return ThreadDeleted{};
  return std::nullopt;
}

}  // namespace

Result<ThreadEvent> thread_event_from(std::string_view type, std::string_view payload) {
  return read_payload<ThreadEvent>(type, payload, read_event);
}

ThreadStatus status_of(const ThreadActivity& activity) {
  if (activity.active_run || activity.operation) return ThreadStatus::busy;
  if (activity.newest_run_failed) return ThreadStatus::error;
  return activity.unvisited_nodes ? ThreadStatus::interrupted : ThreadStatus::idle;
}

Thread evolve(Thread thread, const ThreadEvent& event, WallTime at) {
  std::visit(Evolve{thread, at}, event);
  ++thread.version;
  thread.updated_at = at;
  return thread;
}

}  // namespace dg::domain
