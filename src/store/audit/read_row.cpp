#include "store/audit/read_row.hpp"

#include "domain/event.hpp"

namespace dg::store::audit {
namespace {

using Names = std::span<const std::string_view>;
using Column = std::optional<std::string>;

constexpr std::string_view id_key[] = {"id"};
constexpr std::string_view version_key[] = {"assistant_id", "number"};
constexpr std::string_view assistant_columns[] = {"project",       "graph_id",   "name",       "description",
                                                  "config",        "context",    "metadata",   "number",
                                                  "newest_number", "created_at", "updated_at", "owner"};
constexpr std::string_view version_columns[] = {"graph_id", "name",     "description", "config",
                                                "context",  "metadata", "created_at"};
constexpr std::string_view thread_columns[] = {
    "project",    "metadata",   "config",           "status",    "error", "error_message",
    "created_at", "updated_at", "state_updated_at", "temporary", "owner"};
constexpr std::string_view run_columns[] = {
    "project",    "thread_id",  "assistant_id", "graph_id",       "state", "request",
    "metadata",   "created_at", "updated_at",   "not_before",     "epoch", "attempt",
    "session_id", "revision",   "cancel",       "has_checkpoint", "error", "error_message",
    "resumed_by", "owner",      "resumable",    "has_frames"};

Column number(std::int64_t value) {
  return std::to_string(value);
}
Column time(WallTime value) {
  return number(to_micros(value));
}
Column text(std::string_view value) {
  return std::string(value);
}
Column project() {
  return text(domain::default_project);
}
Column error_of(const std::optional<domain::RunError>& failure) {
  return failure ? Column(failure->error) : std::nullopt;
}
Column message_of(const std::optional<domain::RunError>& failure) {
  return failure ? Column(failure->message) : std::nullopt;
}

}  // namespace

std::string_view to_string(ReadTable table) {
  constexpr std::string_view names[] = {"assistants", "assistant_versions", "threads", "runs"};
  return names[static_cast<std::size_t>(table)];
}

Names key_columns(ReadTable table) {
  return table == ReadTable::assistant_versions ? Names(version_key) : Names(id_key);
}

Names columns(ReadTable table) {
  const Names names[] = {assistant_columns, version_columns, thread_columns, run_columns};
  return names[static_cast<std::size_t>(table)];
}

ReadRow assistant_row(const domain::Assistant& a) {
  const auto& c = a.content;
  return {a.id,
          0,
          {project(), c.graph_id, c.name, c.description, c.config, c.context, c.metadata, number(a.number),
           number(a.newest_number), time(a.created_at), time(a.updated_at), a.owner}};
}

ReadRow assistant_version_row(const std::string& assistant_id, std::int64_t version,
                              const domain::AssistantContent& c, WallTime created_at) {
  return {assistant_id,
          version,
          {c.graph_id, c.name, c.description, c.config, c.context, c.metadata, time(created_at)}};
}

ReadRow thread_row(const ThreadFacts& facts) {
  const auto& t = facts.thread;
  return {t.id,
          0,
          {project(), t.metadata, t.config, text(to_string(facts.status)), error_of(facts.error),
           message_of(facts.error), time(t.created_at), time(t.updated_at), time(facts.state_updated_at),
           number(t.temporary), t.owner}};
}

ReadRow run_row(const domain::Run& r, bool has_frames) {
  return {r.id,
          0,
          {project(),
           r.thread_id,
           r.assistant_id,
           r.graph_id,
           text(to_string(r.state)),
           r.request.to_json(),
           r.metadata,
           time(r.created_at),
           time(r.updated_at),
           time(r.not_before),
           number(r.epoch),
           number(r.attempt),
           r.session_id,
           r.revision,
           text(to_string(r.cancel)),
           number(r.has_checkpoint),
           error_of(r.error),
           message_of(r.error),
           r.resumed_by,
           r.owner,
           number(r.request.stream_resumable),
           number(has_frames)}};
}

std::vector<std::string_view> differing_columns(ReadTable table, const ReadRow& one, const ReadRow& other) {
  std::vector<std::string_view> out;
  const auto names = columns(table);
  for (std::size_t i = 0; i < names.size(); ++i)
    if (one.columns.at(i) != other.columns.at(i)) out.push_back(names[i]);
  return out;
}

}  // namespace dg::store::audit
