#include "cli/supervisor/file_watch.hpp"

#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>

#include "base/log.hpp"

namespace dg::cli {
namespace {

namespace fs = std::filesystem;

constexpr Duration quiet = std::chrono::milliseconds(200);
constexpr std::uint32_t interesting = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE;
constexpr std::array<std::string_view, 4> no_source{"venv", "node_modules", "__pycache__", "site-packages"};

bool skip(const std::string& folder) {
  return folder.starts_with('.') || std::ranges::find(no_source, folder) != no_source.end();
}

}  // namespace

bool is_source_file(std::string_view name) {
  if (name == ".env" || name == "pyproject.toml") return true;
  if (name.starts_with('.')) return false;  // an editor's scratch file
  return name.ends_with(".py") || name.ends_with(".env") ||
         (name.starts_with("langgraph") && name.ends_with(".json")) ||
         (name.starts_with("requirements") && name.ends_with(".txt"));
}

FileWatch::FileWatch(boost::asio::io_context& io, const Env& env, std::function<Sources()> sources,
                     std::function<void()> changed)
    : env_(env), sources_(std::move(sources)), changed_(std::move(changed)), inotify_(io) {}

void FileWatch::watch_sources() {
  auto sources = sources_();
  for (const auto& folder : sources.folders)
    if (roots_.insert(folder).second) add(folder);
  files_ = std::move(sources.files);
  // The folder is watched, not the file: editors put a new file in the place of the old one.
  for (const auto& file : files_) watch(file.parent_path());
}

FileWatch::Folder* FileWatch::watch(const fs::path& dir) {
  const int watch = ::inotify_add_watch(inotify_.native_handle(), dir.c_str(), interesting);
  if (watch >= 0) return &folders_.try_emplace(watch, Folder{dir}).first->second;
  if (errno != ENOENT) log::warn("{} cannot be watched for changes: {}", dir.string(), std::strerror(errno));
  return nullptr;
}

bool FileWatch::add(const fs::path& dir) {
  auto* const folder = watch(dir);
  if (folder == nullptr) return false;
  folder->is_source = true;
  std::error_code error;
  bool found = false;
  for (const auto& entry : fs::directory_iterator(dir, error)) {
    const auto name = entry.path().filename().string();
    if (!entry.is_directory(error)) {
      found = is_source_file(name) || found;
    } else if (!entry.is_symlink(error) && !skip(name)) {
      found = add(entry.path()) || found;
    }
  }
  return found;
}

bool FileWatch::matters(int watch, std::string_view name, std::uint32_t mask) {
  if ((mask & IN_Q_OVERFLOW) != 0) return true;  // what was missed is not known
  const auto found = folders_.find(watch);
  if (found == folders_.end()) return false;
  const auto [path, is_source] = found->second;
  if ((mask & IN_ISDIR) != 0) {
    return is_source && (mask & (IN_CREATE | IN_MOVED_TO)) != 0 && !skip(std::string(name)) &&
           add(path / name);
  }
  if ((mask & IN_CREATE) != 0) return false;  // its content follows
  return (is_source && is_source_file(name)) || files_.contains(path / name);
}

Task<void> FileWatch::run() {
  inotify_.assign(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  watch_sources();
  alignas(inotify_event) std::array<char, 65536> buffer{};
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
    pending_ = env_.timers.call_at(env_.timers.now() + quiet, [this] {
      watch_sources();
      changed_();
    });
  }
}

}  // namespace dg::cli
