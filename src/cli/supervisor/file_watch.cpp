#include "cli/supervisor/file_watch.hpp"

#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>

#include "base/log.hpp"

namespace dg::cli {
namespace {

namespace fs = std::filesystem;

constexpr Duration quiet = std::chrono::milliseconds(200);
constexpr std::uint32_t interesting = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE;
constexpr std::array<std::string_view, 4> no_source{"venv", "node_modules", "__pycache__", "site-packages"};
constexpr std::array<std::string_view, 4> endings{".py", ".json", ".toml", ".txt"};

bool skip(const std::string& folder) {
  return folder.starts_with('.') || std::ranges::find(no_source, folder) != no_source.end();
}

}  // namespace

FileWatch::FileWatch(boost::asio::io_context& io, const Env& env, fs::path dir, std::function<void()> changed)
    : env_(env), dir_(std::move(dir)), changed_(std::move(changed)), inotify_(io) {}

void FileWatch::add(const fs::path& dir) {
  const int watch = ::inotify_add_watch(inotify_.native_handle(), dir.c_str(), interesting);
  if (watch < 0) {
    log::warn("{} cannot be watched for changes: {}", dir.string(), std::strerror(errno));
    return;
  }
  folders_[watch] = dir;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(dir, error))
    if (entry.is_directory(error) && !entry.is_symlink(error) && !skip(entry.path().filename().string()))
      add(entry.path());
}

bool FileWatch::matters(int watch, std::string_view name, std::uint32_t mask) {
  const auto folder = folders_.find(watch);
  if (folder == folders_.end()) return false;
  if ((mask & IN_ISDIR) != 0) {
    if ((mask & (IN_CREATE | IN_MOVED_TO)) != 0 && !skip(std::string(name))) add(folder->second / name);
    return false;
  }
  if ((mask & IN_CREATE) != 0) return false;  // its content follows
  return name == ".env" ||
         std::ranges::any_of(endings, [&](std::string_view ending) { return name.ends_with(ending) && !name.starts_with('.'); });
}

Task<void> FileWatch::run() {
  inotify_.assign(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  add(dir_);
  alignas(inotify_event) std::array<char, 65536> buffer;
  while (true) {
    const auto [error, count] = co_await inotify_.async_read_some(
        boost::asio::buffer(buffer), boost::asio::as_tuple(boost::asio::use_awaitable_t<Executor>{}));
    if (error) co_return;
    bool found = false;
    for (std::size_t at = 0; at < count;) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const std::string_view name(buffer.data() + at + sizeof event);
      found = matters(event.wd, event.len > 0 ? name : "", event.mask) || found;
      at += sizeof event + event.len;
    }
    if (!found) continue;
    env_.timers.cancel(pending_);
    pending_ = env_.timers.call_at(env_.timers.now() + quiet, changed_);
  }
}

}  // namespace dg::cli
