#include "app/streams.hpp"

#include <algorithm>

namespace dg::app {
namespace {

constexpr std::size_t tail_bytes_max = 256u << 10;
constexpr std::size_t page_bytes = 256u << 10;

}  // namespace

Streams::Streams(Context& context) : context_(context) {
  context_.bus.subscribe(bus::Topic::run, [this](const std::string& id) {
    if (const auto found = table_->live.find(id); found != table_->live.end()) found->second->notify();
  });
}

Streams::~Streams() {
  for (const auto& [id, live] : table_->live) live->notify();
}

Streams::Use::Use(Streams& streams, std::string run_id) : table_(streams.table_), run_id_(std::move(run_id)) {
  auto& entry = table_->live[run_id_];
  if (!entry) entry = std::make_shared<Live>(streams.context_.env.timers);
  live_ = entry;
  ++live_->users;
  ++table_->waiting;
}

Streams::Use::~Use() {
  --table_->waiting;
  if (--live_->users == 0) table_->live.erase(run_id_);
}

void Streams::nudge(const std::string& run_id) {
  const auto found = table_->live.find(run_id);
  if (found == table_->live.end()) return;
  ++found->second->nudges;
  found->second->notify();
}

void Streams::publish(const std::string& run_id, std::int64_t first,
                      const std::vector<store::Frame>& frames) {
  const auto found = table_->live.find(run_id);
  if (found == table_->live.end()) return;  // nobody reads: the store has them
  auto& live = *found->second;
  const std::int64_t end = live.first + static_cast<std::int64_t>(live.tail.size());
  if (end != first) {  // begins anew behind a hole; readers of the hole go to the store
    live.tail.clear();
    live.bytes = 0;
    live.first = first;
  }
  for (const auto& frame : frames) {
    live.bytes += frame.event.size() + frame.data.size();
    live.tail.push_back(frame);
  }
  while (live.tail.size() > 1 && live.bytes > tail_bytes_max) {
    live.bytes -= live.tail.front().event.size() + live.tail.front().data.size();
    live.tail.pop_front();
    ++live.first;
  }
  live.notify();
}

std::vector<NumberedFrame> Streams::from_tail(const Live& live, std::int64_t from) {
  std::vector<NumberedFrame> out;
  if (from < live.first) return out;
  for (auto at = static_cast<std::size_t>(from - live.first); at < live.tail.size(); ++at)
    out.push_back({live.first + static_cast<std::int64_t>(at), live.tail[at]});
  return out;
}

Task<Result<Streams::Page>> Streams::read(std::string run_id, std::int64_t from, SteadyTime deadline) {
  const Use entry(*this, run_id);

  const auto nudges = entry->nudges;
  while (true) {
    if (auto frames = from_tail(*entry, from); !frames.empty()) co_return Page{std::move(frames), false};
    const auto seen = entry->changes;
    // The run is read before its frames: a run seen as over has all of its frames stored.
    const auto run = co_await context_.store.run(run_id);
    if (!run) co_return fail(run.error());
    if (!*run) co_return fail(Errc::not_found, "Run not found");
    auto stored = co_await context_.store.frames(run_id, from, page_bytes);
    if (!stored) co_return fail(stored.error());
    if (!stored->frames.empty()) {
      Page page;
      std::int64_t number = stored->first;
      for (auto& frame : stored->frames) page.frames.push_back({number++, std::move(frame)});
      co_return page;
    }
    if (!domain::is_active((*run)->state)) co_return Page{{}, true};
    if (entry->nudges != nudges) co_return Page{};
    if (entry->changes != seen) continue;
    if (!co_await entry->changed.wait_until(deadline)) co_return Page{};
  }
}

Task<Result<domain::Run>> Streams::wait_inactive(std::string run_id, SteadyTime deadline) {
  const Use entry(*this, run_id);

  const auto nudges = entry->nudges;
  while (true) {
    const auto seen = entry->changes;
    auto run = co_await context_.store.run(run_id);
    if (!run) co_return fail(run.error());
    if (!*run) co_return fail(Errc::not_found, "Run not found");
    if (!domain::is_active((*run)->state)) co_return std::move(**run);
    const bool nudged = entry->nudges != nudges;
    if (!nudged && entry->changes != seen) continue;
    if (nudged || !co_await entry->changed.wait_until(deadline))
      co_return fail(Errc::timeout,
                     "the run " + run_id + " is still " + std::string(to_string((*run)->state)));
  }
}

}  // namespace dg::app
