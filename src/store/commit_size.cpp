#include "store/commit_size.hpp"

namespace dg::store {
namespace {

std::size_t size_of_part(const PutCheckpoint& change) {
  const auto& c = change.checkpoint;
  std::size_t size =
      c.checkpoint.data.size() + c.metadata.size() + c.projection.size() + c.channel_versions.size();
  for (const auto& value : c.values) size += value.value.data.size() + value.channel.size();
  return size;
}
std::size_t size_of_part(const PutWrites& change) {
  std::size_t size = change.writes.task_patch.size();
  for (const auto& write : change.writes.writes) size += write.value.data.size() + write.channel.size();
  return size;
}
std::size_t size_of_part(const AppendFrames& change) {
  std::size_t size = 0;
  for (const auto& frame : change.frames) size += frame.event.size() + frame.data.size();
  return size;
}
std::size_t size_of_part(const PutRun& change) {
  const auto& request = change.run.request;
  return request.input.size() + request.command.size() + request.config.size() + request.context.size() +
         change.run.metadata.size();
}
std::size_t size_of_part(const PutThread& change) {
  return change.thread.metadata.size() + change.thread.config.size();
}
std::size_t size_of_part(const PutItem& change) {
  return change.value.size();
}
template <class AnyOther>
std::size_t size_of_part(const AnyOther&) {
  return 0;
}

}  // namespace

std::size_t size_of(const Commit& commit) {
  std::size_t size = 256;
  for (const auto& append : commit.appends)
    for (const auto& event : append.events) size += event.payload.size() + commit.event_metadata.size() + 128;
  for (const auto& change : commit.changes)
    size += 128 + std::visit([](const auto& c) { return size_of_part(c); }, change);
  return size;
}

}  // namespace dg::store
