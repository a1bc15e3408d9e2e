#include <algorithm>

#include "base/json.hpp"
#include "simulation/store/tables.hpp"

namespace dg::simulation {
namespace {

template <class Map, class Key>
auto* find_in(Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

bool on_page(std::int64_t place, Page page) {
  return place >= page.offset && place - page.offset < page.limit;
}

bool has_text(std::string text, std::string part) {
  const auto lower = [](unsigned char c) { return static_cast<char>(std::tolower(c)); };
  std::ranges::transform(text, text.begin(), lower);
  std::ranges::transform(part, part.begin(), lower);
  return text.find(part) != std::string::npos;
}

bool json_contains(const std::string& whole, const std::string& part) {
  return part == "{}" || json::contains(json::View(whole), json::View(part));
}

// Sorts by what `key` gives, then by id, in one direction.
template <class T, class Key, class Id>
void sort_rows(std::vector<T>& rows, bool descending, Key key, Id id) {
  std::ranges::sort(rows, [&](const T& a, const T& b) {
    const auto left = std::pair(key(a), id(a));
    const auto right = std::pair(key(b), id(b));
    return descending ? left > right : left < right;
  });
}

template <class T>
Found<T> page_of(std::vector<T> rows, Page page) {
  Found<T> found;
  found.total = std::ssize(rows);
  for (std::int64_t i = 0; i < found.total; ++i)
    if (on_page(i, page)) found.rows.push_back(std::move(rows[static_cast<std::size_t>(i)]));
  return found;
}

std::string thread_sort_key(const ThreadRow& row, const std::string& by) {
  const auto time = [](WallTime t) { return std::to_string(10'000'000'000'000'000 + to_micros(t)); };
  if (by == "thread_id") return row.thread.id;
  if (by == "created_at") return time(row.thread.created_at);
  if (by == "state_updated_at") return time(row.state_updated_at);
  if (by == "status") return std::string(to_string(row.status));
  return time(row.thread.updated_at);
}

}  // namespace

const Tables::Head* Tables::head(domain::AggregateType type, const std::string& id) const {
  return find_in(heads_, HeadKey(type, id));
}
const Tables::Thread* Tables::thread(const std::string& id) const {
  return find_in(threads_, id);
}
const domain::Run* Tables::run(const std::string& id) const {
  return find_in(runs_, id);
}
const Tables::Space* Tables::space(const std::string& thread_id) const {
  return find_in(spaces_, thread_id);
}
const std::vector<Frame>& Tables::frames(const std::string& run_id) const {
  static const std::vector<Frame> none;
  const auto* found = find_in(frames_, run_id);
  return found == nullptr ? none : *found;
}
const std::vector<domain::EventRecord>& Tables::events(const std::string& aggregate_id) const {
  static const std::vector<domain::EventRecord> none;
  const auto* found = find_in(events_, aggregate_id);
  return found == nullptr ? none : *found;
}
std::int64_t Tables::version_of(domain::AggregateType type, const std::string& id) const {
  const auto* found = head(type, id);
  return found == nullptr ? 0 : found->version;
}

std::optional<ThreadRow> read_thread(const Tables& tables, const std::string& id) {
  const auto* thread = tables.thread(id);
  if (thread == nullptr || !thread->row) return std::nullopt;
  ThreadRow row{*thread->row, thread->status, thread->state_updated_at, thread->error,
                read_state(tables, {id, "", ""})};
  row.thread.version = tables.version_of(domain::AggregateType::thread, id);
  return row;
}

namespace {

bool has_paused_run(const Tables& tables, const std::string& thread_id) {
  return std::ranges::any_of(read_open_runs(tables, thread_id), [](const domain::Run& run) {
    return run.state == domain::RunState::requires_action;
  });
}

}  // namespace

Found<ThreadRow> read_threads(const Tables& tables, const ThreadFilter& filter, Page page) {
  std::vector<ThreadRow> rows;
  for (const auto& [id, thread] : tables.threads()) {
    if (!filter.ids.empty() && std::ranges::find(filter.ids, id) == filter.ids.end()) continue;
    auto row = read_thread(tables, id);
    if (!row || (filter.status && row->status != *filter.status)) continue;
    if (filter.owner && row->thread.owner != filter.owner) continue;
    if (row->thread.temporary && !filter.temporary && !has_paused_run(tables, id)) continue;
    if (!json_contains(row->thread.metadata, filter.metadata)) continue;
    if (filter.values != "{}" && (!row->head || !json::contains(json::View(row->head->projection)["values"],
                                                                json::View(filter.values))))
      continue;
    rows.push_back(std::move(*row));
  }
  sort_rows(
      rows, filter.descending, [&](const ThreadRow& r) { return thread_sort_key(r, filter.sort_by); },
      [](const ThreadRow& r) { return r.thread.id; });
  return page_of(std::move(rows), page);
}

ThreadHead read_thread_head(const Tables& tables, const std::string& id) {
  ThreadHead out;
  if (const auto* head = tables.head(domain::AggregateType::thread, id)) out.turn = head->turn;
  if (const auto* thread = tables.thread(id); thread != nullptr && !thread->lease.empty())
    out.lease = tables.leases().at(thread->lease);
  return out;
}

ThreadNow read_thread_now(const Tables& tables, const std::string& id) {
  ThreadNow now{read_thread_head(tables, id), std::nullopt, read_open_runs(tables, id)};
  if (auto row = read_thread(tables, id)) now.thread = std::move(row->thread);
  return now;
}

std::optional<domain::Run> read_run(const Tables& tables, const std::string& id) {
  const auto* found = tables.run(id);
  if (found == nullptr) return std::nullopt;
  domain::Run run = *found;
  run.version = tables.version_of(domain::AggregateType::run, id);
  return run;
}

std::vector<domain::Run> read_runs(const Tables& tables, const RunFilter& filter, Page page) {
  std::vector<domain::Run> out;
  std::int64_t place = 0;
  for (auto it = tables.runs().rbegin(); it != tables.runs().rend(); ++it) {
    const auto& run = it->second;
    if (!filter.thread_id.empty() && run.thread_id != filter.thread_id) continue;
    if (!filter.states.empty() && std::ranges::find(filter.states, run.state) == filter.states.end())
      continue;
    if (!filter.ids.empty() && std::ranges::find(filter.ids, run.id) == filter.ids.end()) continue;
    if (filter.owner && run.owner != filter.owner) continue;
    if (on_page(place++, page)) out.push_back(*read_run(tables, run.id));
  }
  return out;
}

std::vector<domain::Run> read_open_runs(const Tables& tables, const std::string& thread_id) {
  std::vector<domain::Run> out;
  if (const auto* thread = tables.thread(thread_id))
    for (const auto& id : thread->open) out.push_back(*read_run(tables, id));
  return out;
}

std::vector<domain::Run> read_claimable_runs(const Tables& tables, const std::vector<std::string>& graphs,
                                             WallTime now, std::int64_t limit) {
  std::vector<std::pair<WallTime, std::string>> queue;
  for (const auto& id : tables.queued()) queue.emplace_back(tables.run(id)->not_before, id);
  std::ranges::sort(queue);
  std::vector<domain::Run> out;
  for (const auto& [due, id] : queue) {
    if (std::ssize(out) >= limit) break;
    const auto& run = *tables.run(id);
    if (run.not_before > now || std::ranges::find(graphs, run.graph_id) == graphs.end()) continue;
    const auto& thread = *tables.thread(run.thread_id);
    if (!thread.lease.empty()) continue;
    const bool waits = std::ranges::any_of(thread.open, [&](const std::string& other_id) {
      const auto& other = *tables.run(other_id);
      if (other.state != domain::RunState::queued) return other.state == domain::RunState::in_progress;
      if ((other.attempt > 0) != (run.attempt > 0)) return other.attempt > 0;
      return other_id < id && other.not_before <= now;
    });
    if (!waits) out.push_back(*read_run(tables, id));
  }
  return out;
}

std::optional<WallTime> read_next_due(const Tables& tables, WallTime now) {
  std::optional<WallTime> next;
  for (const auto& id : tables.queued()) {
    const auto due = tables.run(id)->not_before;
    if (due > now && (!next || due < *next)) next = due;
  }
  return next;
}

ActiveRuns read_active_runs(const Tables& tables) {
  ActiveRuns out;
  for (const auto& [id, run] : tables.runs()) {
    if (run.state == domain::RunState::queued) ++out.queued;
    if (run.state == domain::RunState::in_progress) ++out.in_progress;
  }
  return out;
}

std::vector<std::string> read_runs_with_frames(const Tables& tables, WallTime ended, bool resumable,
                                               std::int64_t limit) {
  std::vector<std::string> out;
  for (const auto& [id, run] : tables.runs())
    if (std::ssize(out) < limit && domain::is_terminal(run.state) && run.updated_at < ended &&
        run.request.stream_resumable == resumable && !tables.frames(id).empty())
      out.push_back(id);
  return out;
}

std::optional<domain::Assistant> read_assistant(const Tables& tables, const std::string& id) {
  const auto* found = find_in(tables.assistants, id);
  if (found == nullptr) return std::nullopt;
  domain::Assistant out = *found;
  out.version = tables.version_of(domain::AggregateType::assistant, id);
  return out;
}

Found<domain::Assistant> read_assistants(const Tables& tables, const AssistantFilter& filter, Page page) {
  std::vector<domain::Assistant> rows;
  for (const auto& [id, a] : tables.assistants)
    if ((!filter.owner || !a.owner || a.owner == filter.owner) &&
        (filter.graph_id.empty() || a.content.graph_id == filter.graph_id) &&
        has_text(a.content.name, filter.name) && json_contains(a.content.metadata, filter.metadata))
      rows.push_back(*read_assistant(tables, id));
  const auto key = [&](const domain::Assistant& a) {
    if (filter.sort_by == "name") return a.content.name;
    if (filter.sort_by == "graph_id") return a.content.graph_id;
    if (filter.sort_by == "assistant_id") return a.id;
    return to_rfc3339(filter.sort_by == "updated_at" ? a.updated_at : a.created_at);
  };
  sort_rows(rows, filter.descending, key, [](const domain::Assistant& a) { return a.id; });
  return page_of(std::move(rows), page);
}

std::vector<AssistantVersion> read_assistant_versions(const Tables& tables, const std::string& id,
                                                      const std::string& metadata, Page page) {
  std::vector<AssistantVersion> out;
  const auto* versions = find_in(tables.assistant_versions, id);
  if (versions == nullptr) return out;
  std::int64_t place = 0;
  for (auto it = versions->rbegin(); it != versions->rend(); ++it)
    if (json_contains(it->second.content.metadata, metadata) && on_page(place++, page))
      out.push_back(it->second);
  return out;
}

std::optional<AssistantVersion> read_assistant_version(const Tables& tables, const std::string& id,
                                                       std::int64_t number) {
  const auto* versions = find_in(tables.assistant_versions, id);
  const auto* found = versions == nullptr ? nullptr : find_in(*versions, number);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

Queries::FramePage read_frames(const Tables& tables, const std::string& run_id, std::int64_t from,
                               std::size_t max_bytes) {
  Queries::FramePage page{.first = from, .frames = {}};
  const auto& frames = tables.frames(run_id);
  std::size_t bytes = 0;
  for (auto i = static_cast<std::size_t>(from); i < frames.size(); ++i) {
    bytes += frames[i].event.size() + frames[i].data.size();
    if (!page.frames.empty() && bytes > max_bytes) break;
    page.frames.push_back(frames[i]);
  }
  return page;
}

std::optional<Frame> read_last_frame(const Tables& tables, const std::string& run_id,
                                     const std::string& event) {
  const auto& frames = tables.frames(run_id);
  const auto found =
      std::find_if(frames.rbegin(), frames.rend(), [&](const Frame& f) { return f.event == event; });
  return found == frames.rend() ? std::nullopt : std::optional(*found);
}

}  // namespace dg::simulation
