// Opening a database to read it without a trace: no file is made or changed by it.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "store/sqlite/database.hpp"

namespace dg::store::sqlite {

// A database that another process has open is read beside it, as one of its readers. One at rest is read
// without locks, which would need files of their own; so that somebody may begin to use it meanwhile.
class ReadOnlyFile {
 public:
  // Errc::not_found when there is no such file. Not for a database that this process has open too: looking
  // for others would give up its locks.
  static Result<ReadOnlyFile> open(const std::filesystem::path& path);

  Database& db() { return *db_; }
  // Errc::conflict when it was at rest and is not any more.
  Status undisturbed() const;

 private:
  // What shows that a file was written.
  struct Mark {
    std::uintmax_t size = 0;
    std::filesystem::file_time_type written{};
    bool operator==(const Mark&) const = default;
  };
  using Marks = std::pair<Mark, Mark>;  // of the database and of its log

  static Mark mark_of(const std::filesystem::path& path);
  Marks marks() const;

  std::filesystem::path path_;
  std::unique_ptr<Database> db_;
  std::optional<Marks> at_rest_;
};

}  // namespace dg::store::sqlite
