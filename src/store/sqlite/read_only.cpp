#include "store/sqlite/read_only.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cctype>

namespace dg::store::sqlite {
namespace {

namespace fs = std::filesystem;

// The byte of the shared-memory file that every process locks as long as it has the database open
// (UNIX_SHM_DMS of SQLite's file format).
constexpr off_t used_byte = 128;

fs::path beside(const fs::path& path, const char* suffix) {
  return path.string() + suffix;
}

bool in_use(const fs::path& path) {
  const int file = ::open(beside(path, "-shm").c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = used_byte;
  lock.l_len = 1;
  const bool asked = ::fcntl(file, F_GETLK, &lock) == 0;
  ::close(file);
  return asked && lock.l_type != F_UNLCK;
}

// How the database can be read without a trace.
enum class Access {
  shared,    // others have it open
  with_log,  // nobody has, and its log holds what is not in the file yet
  file       // nobody has, and the file is everything
};

Access access_to(const fs::path& path) {
  if (in_use(path)) return Access::shared;
  std::error_code missing;
  const auto log_bytes = fs::file_size(beside(path, "-wal"), missing);
  return missing || log_bytes == 0 ? Access::file : Access::with_log;
}

std::string_view query_of(Access access) {
  switch (access) {
    case Access::shared:
      return "mode=ro";
    case Access::with_log:
      return "mode=ro&vfs=unix-none";  // takes no locks
    case Access::file:
      return "mode=ro&immutable=1";  // makes no log
  }
  return "";
}

std::string uri_of(const fs::path& path, std::string_view query) {
  std::string out = "file:";
  for (const char c : fs::absolute(path).string()) {
    const bool plain =
        std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '/' || c == '.' || c == '-' || c == '_';
    out += plain ? std::string(1, c) : fmt::format("%{:02x}", static_cast<unsigned char>(c));
  }
  return out.append("?").append(query);
}

}  // namespace

Result<ReadOnlyFile> ReadOnlyFile::open(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    return fail(Errc::not_found, fmt::format("{} does not exist", path.string()));
  ReadOnlyFile out;
  out.path_ = path;
  const auto marks = out.marks();
  const auto access = access_to(path);
  if (access != Access::shared) out.at_rest_ = marks;
  auto db = Database::open_to_read(uri_of(path, query_of(access)), access == Access::with_log);
  if (!db) return fail(db.error());
  out.db_ = std::move(*db);
  return out;
}

ReadOnlyFile::Mark ReadOnlyFile::mark_of(const fs::path& path) {
  std::error_code missing;
  Mark mark;
  mark.size = fs::file_size(path, missing);
  mark.written = fs::last_write_time(path, missing);
  return mark;
}

ReadOnlyFile::Marks ReadOnlyFile::marks() const {
  return {mark_of(path_), mark_of(beside(path_, "-wal"))};
}

Status ReadOnlyFile::undisturbed() const {
  if (!at_rest_ || (!in_use(path_) && marks() == *at_rest_)) return {};
  return fail(
      Errc::conflict,
      fmt::format("{} was not in use, and somebody began to use it meanwhile: try again", path_.string()));
}

}  // namespace dg::store::sqlite
