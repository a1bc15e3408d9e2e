#include "app/streams.hpp"

#include <algorithm>
#include <charconv>

#include "store/frame_codec.hpp"

namespace dg::app {
namespace {

constexpr std::size_t tail_bytes_max = 256u << 10;
constexpr std::size_t idle_bytes_max = 16u << 10;  // that stay although everybody has taken them
constexpr std::size_t page_bytes = 256u << 10;
// How long a reader relies on being told: thousands may wait, and each question is one to the store.
constexpr Duration trust = std::chrono::minutes(1);

// Frames on their way to other instances: the first one's number, a space, and the records of a segment.
std::string encode_frames(std::int64_t first, const std::vector<store::Frame>& frames) {
  std::string out = std::to_string(first) + ' ';
  for (const auto& frame : frames) store::encode_frame(out, frame, 0);
  return out;
}

// Nothing where they cannot be read, as from another release: the store has them.
std::optional<std::pair<std::int64_t, std::vector<store::Frame>>> decode_frames(std::string_view body) {
  std::int64_t first = 0;
  const auto [end, error] = std::from_chars(body.data(), body.data() + body.size(), first);
  const auto at = static_cast<std::size_t>(end - body.data());
  if (error != std::errc{} || at == body.size() || *end != ' ') return std::nullopt;
  store::FrameReader reader(body.substr(at + 1));
  std::vector<store::Frame> frames;
  for (store::FrameView view; reader.next(view);) frames.push_back(view.frame());
  if (!reader.at_end()) return std::nullopt;
  return std::pair{first, std::move(frames)};
}

}  // namespace

Streams::Streams(Context& context) : context_(context) {}

Streams::~Streams() {
  for (const auto& [id, live] : table_->live) live->tell();
}

void Streams::Live::tell() {
  ++times_told;
  told.notify_all();
  published.notify_all();
}

void Streams::Live::hear(const std::string& body) {
  const auto frames = body.empty() ? std::nullopt : decode_frames(body);
  if (!frames) return tell();
  publish(frames->first, frames->second);
}

void Streams::Live::publish(std::int64_t next, const std::vector<store::Frame>& frames) {
  if (readers.empty()) return;  // the store has them
  if (first + static_cast<std::int64_t>(tail.size()) != next) {
    // It begins anew behind a hole; readers of the hole go to the store.
    tail.clear();
    bytes = 0;
    first = next;
  }
  for (const auto& frame : frames) {
    bytes += frame.event.size() + frame.data.size();
    tail.push_back(frame);
  }
  trim();
  published.notify_all();
}

void Streams::Live::trim() {
  auto needed = first + static_cast<std::int64_t>(tail.size());
  for (const auto* reader : readers) needed = std::min(needed, reader->position());
  while (first < needed || (tail.size() > 1 && bytes > tail_bytes_max)) {
    bytes -= tail.front().event.size() + tail.front().data.size();
    tail.pop_front();
    ++first;
  }
}

std::vector<NumberedFrame> Streams::Live::from(std::int64_t number) const {
  std::vector<NumberedFrame> out;
  if (number < first) return out;
  for (auto at = static_cast<std::size_t>(number - first); at < tail.size(); ++at)
    out.push_back({first + static_cast<std::int64_t>(at), tail[at]});
  return out;
}

Streams::Use::Use(Streams& streams, const std::string& run_id) : table_(streams.table_), run_id_(run_id) {
  auto& entry = table_->live[run_id_];
  if (!entry) {
    entry = std::make_shared<Live>(streams.context_.env.timers);
    // The entry holds its subscription, which does not hold it.
    entry->others = streams.context_.bus.subscribe(
        bus::Topic::run, run_id_,
        [live = entry.get()](const std::string&, const std::string& body) { live->hear(body); });
  }
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
  found->second->tell();
}

void Streams::send_readers_away() {
  readers_leave_ = true;
  for (const auto& [id, live] : table_->live) {
    ++live->nudges;
    live->published.notify_all();
  }
}

void Streams::publish(const std::string& run_id, std::int64_t first,
                      const std::vector<store::Frame>& frames) {
  frames_ += frames.size();
  const auto found = table_->live.find(run_id);
  if (found != table_->live.end()) found->second->publish(first, frames);
  if (context_.bus.reaches_others()) context_.bus.send(bus::Topic::run, run_id, encode_frames(first, frames));
}

Streams::Reader::Reader(Streams& streams, std::string run_id, std::int64_t from)
    : context_(streams.context_), live_(streams, run_id), run_id_(std::move(run_id)), from_(from) {
  live_->readers.push_back(this);
}

Streams::Reader::~Reader() {
  std::erase(live_->readers, this);
  live_->trim();
}

bool Streams::Reader::is_current() const {
  if (!current_as_of_ || current_as_of_->times_told != live_->times_told) return false;
  return from_ >= live_->first || current_as_of_->first == live_->first;
}

Streams::Page Streams::Reader::take(std::vector<NumberedFrame> frames) {
  from_ = frames.back().number + 1;
  // What is little goes with the next frames: many readers would look at each other for each of them.
  if (live_->bytes > idle_bytes_max) live_->trim();
  return {std::move(frames), false};
}

Task<Result<std::optional<Streams::Page>>> Streams::Reader::read_store() {
  const Moment asked{live_->times_told, live_->first, context_.env.timers.now()};
  // The run is read before its frames: a run seen as over has all of its frames stored.
  const auto run = co_await context_.store.run(run_id_);
  if (!run) co_return fail(run.error());
  if (!*run) co_return fail(Errc::not_found, "Run not found");
  auto stored = co_await context_.store.frames(run_id_, from_, page_bytes);
  if (!stored) co_return fail(stored.error());
  if (!stored->frames.empty()) {
    std::vector<NumberedFrame> frames;
    for (auto& frame : stored->frames) frames.push_back({stored->first++, std::move(frame)});
    co_return take(std::move(frames));
  }
  if (!domain::is_active((*run)->state)) co_return Page{{}, true};
  current_as_of_ = asked;
  co_return std::nullopt;
}

Task<Result<Streams::Page>> Streams::Reader::next(SteadyTime deadline) {
  const auto nudges = live_->nudges;
  while (true) {
    if (auto frames = live_->from(from_); !frames.empty()) co_return take(std::move(frames));
    if (!is_current()) {
      auto page = co_await read_store();
      if (!page) co_return fail(page.error());
      if (*page) co_return std::move(**page);
      if (live_->nudges != nudges) co_return Page{};
      continue;  // frames may have been published meanwhile
    }
    const bool in_time = co_await live_->published.wait_until(deadline);
    // Now and then the store is asked although nothing was said: a wake-up may have been lost.
    if (!in_time && context_.env.timers.now() - current_as_of_->at >= trust) current_as_of_.reset();
    if (!in_time || live_->nudges != nudges) co_return Page{};
  }
}

Task<Result<domain::Run>> Streams::wait_inactive(std::string run_id, SteadyTime deadline) {
  const Use live(*this, run_id);
  const auto nudges = live->nudges;
  while (true) {
    const auto times_told = live->times_told;
    auto run = co_await context_.store.run(run_id);
    if (!run) co_return fail(run.error());
    if (!*run) co_return fail(Errc::not_found, "Run not found");
    if (!domain::is_active((*run)->state)) co_return std::move(**run);
    const bool nudged = live->nudges != nudges;
    if (!nudged && live->times_told != times_told) continue;
    if (nudged || !co_await live->told.wait_until(deadline))
      co_return fail(Errc::timeout,
                     "the run " + run_id + " is still " + std::string(to_string((*run)->state)));
  }
}

}  // namespace dg::app
