#include "cli/server/data_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/json.hpp"

namespace dg::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t worker_token_min = 32;  // characters; less is a file that something else wrote

std::optional<std::string> contents_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// Replaces the file at once, so that a reader sees the old content or the new one. Several processes may do
// so together: each has a draft of its own.
Status write_file(const fs::path& path, std::string_view text, mode_t mode) {
  std::string draft = path.string() + ".XXXXXX";
  const int file = ::mkostemp(draft.data(), O_CLOEXEC);
  if (file < 0)
    return fail(Errc::internal, fmt::format("{} cannot be written: {}", draft, std::strerror(errno)));
  const bool written = ::fchmod(file, mode) == 0 &&
                       ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(file);
  if (written && ::rename(draft.c_str(), path.c_str()) == 0) return {};
  auto failure =
      fail(Errc::internal, fmt::format("{} cannot be written: {}", path.string(), std::strerror(errno)));
  ::unlink(draft.c_str());
  return failure;
}

}  // namespace

fs::path data_folder_of(const fs::path& project) {
  return project / ".duragraph";
}

fs::path database_in(const fs::path& data_folder) {
  return data_folder / "duragraph.db";
}

Status make_data_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    return fail(Errc::internal,
                fmt::format("the folder {} cannot be made: {}", path.string(), error.message()));
  ::chmod(path.c_str(), 0700);
  if (fs::exists(path / ".gitignore")) return {};
  return write_file(path / ".gitignore", "*\n", 0644);
}

Result<DataFolder> DataFolder::open(const fs::path& path) {
  if (auto made = make_data_folder(path); !made) return fail(made.error());
  const auto lock_path = path / "lock";
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0)
    return fail(Errc::internal,
                fmt::format("{} cannot be opened: {}", lock_path.string(), std::strerror(errno)));
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    const auto holder = contents_of(lock_path).value_or("");
    ::close(lock);
    return fail(Errc::conflict, fmt::format("another server uses {} already (process {}); stop it first",
                                            path.string(), holder.empty() ? "unknown" : holder));
  }
  const auto pid = std::to_string(::getpid());
  if (::ftruncate(lock, 0) != 0 || ::pwrite(lock, pid.data(), pid.size(), 0) < 0) {
    ::close(lock);
    return fail(Errc::internal,
                fmt::format("{} cannot be written: {}", lock_path.string(), std::strerror(errno)));
  }
  return DataFolder(path, lock);
}

DataFolder::DataFolder(DataFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

DataFolder::~DataFolder() {
  if (lock_ >= 0) ::close(lock_);
}

Result<std::string> DataFolder::make_worker_token(Random& random) const {
  if (auto kept = read_worker_token(path_); kept && kept->size() >= worker_token_min) return *kept;
  auto token = make_secret(random, 32);
  if (auto done = write_file(path_ / "worker-token", token, 0600); !done) return fail(done.error());
  return token;
}

Status DataFolder::announce(const std::string& url) const {
  const auto text =
      json::Writer().begin_object().key("url").string(url).key("pid").integer(::getpid()).end_object().take();
  return write_file(path_ / "server.json", text + "\n", 0600);
}

void DataFolder::retract() const {
  std::error_code ignored;
  fs::remove(path_ / "server.json", ignored);
}

std::optional<std::string> read_worker_token(const fs::path& folder) {
  return contents_of(folder / "worker-token");
}

std::optional<std::string> read_server_url(const fs::path& folder) {
  const auto text = contents_of(folder / "server.json");
  if (!text || !json::validate(*text, json::client_rules)) return std::nullopt;
  auto url = json::View(*text)["url"].string();
  return url.empty() ? std::nullopt : std::optional(std::move(url));
}

}  // namespace dg::cli
