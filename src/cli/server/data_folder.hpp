// The folder that keeps everything a project's server knows: DIR/.duragraph.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/env.hpp"
#include "base/result.hpp"

namespace dg::cli {

// Where a project keeps its data, and where the database is in there.
std::filesystem::path data_folder_of(const std::filesystem::path& project);
std::filesystem::path database_in(const std::filesystem::path& data_folder);

// Makes the folder (mode 0700, ignored by git) where it is missing.
Status make_data_folder(const std::filesystem::path& path);

// An open data folder. Its lock is held until the object goes, by one process at a time.
class DataFolder {
 public:
  // Makes the folder and takes its lock. conflict: another process has it; the message says which.
  static Result<DataFolder> open(const std::filesystem::path& path);

  DataFolder(DataFolder&& other) noexcept;
  DataFolder& operator=(DataFolder&&) = delete;
  ~DataFolder();

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path database() const { return database_in(path_); }

  // The token that workers show to this server. It is made once and left in `worker-token` (mode 0600)
  // for `duragraph worker` on the same folder; a restart keeps it, so that workers that run on find
  // their way back.
  Result<std::string> make_worker_token(Random& random) const;
  // Says in `server.json` where the server listens.
  Status announce(const std::string& url) const;
  void retract() const;

 private:
  DataFolder(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::filesystem::path path_;
  int lock_;
};

// The token and address that a running server left in the folder.
std::optional<std::string> read_worker_token(const std::filesystem::path& folder);
std::optional<std::string> read_server_url(const std::filesystem::path& folder);

}  // namespace dg::cli
