#include "domain/thread.hpp"

#include "base/json.hpp"
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

  void operator()(const ThreadCreated& e) const { out.key("metadata").raw(e.metadata); }
  void operator()(const ThreadPatched& e) const { out.key("metadata").raw(e.metadata); }
  void operator()(const ThreadBound& e) const {
    out.key("graph_id")
        .string(e.graph_id)
        .key("assistant_id")
        .string(e.assistant_id)
        .key("config")
        .raw(e.config);
  }
  void operator()(const ThreadStateUpdated& e) const { out.key("checkpoint_id").string(e.checkpoint_id); }
  void operator()(const ThreadCopied& e) const {
    out.key("source").string(e.source).key("metadata").raw(e.metadata).key("config").raw(e.config);
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

Result<ThreadEvent> thread_event_from(std::string_view type, std::string_view payload) {
  const View in(payload);
  const auto text = [&](std::string_view key) { return in[key].string(); };
  const auto raw = [&](std::string_view key) {
    const auto found = in.find(key);
    return std::string(found ? found->raw() : "{}");
  };
  if (type == "ThreadCreated") return ThreadCreated{raw("metadata")};
  if (type == "ThreadPatched") return ThreadPatched{raw("metadata")};
  if (type == "ThreadBound") return ThreadBound{text("graph_id"), text("assistant_id"), raw("config")};
  if (type == "ThreadStateUpdated") return ThreadStateUpdated{text("checkpoint_id")};
  if (type == "ThreadCopied") return ThreadCopied{text("source"), raw("metadata"), raw("config")};
  if (type == "ThreadDeleted") return ThreadDeleted{};
  return fail(Errc::internal, "no event of a thread is named " + std::string(type));
}

Thread evolve(Thread thread, const ThreadEvent& event, WallTime at) {
  std::visit(Evolve{thread, at}, event);
  ++thread.version;
  thread.updated_at = at;
  return thread;
}

}  // namespace dg::domain
