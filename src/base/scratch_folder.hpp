// A temporary folder.
#pragma once

#include <filesystem>
#include <string_view>

namespace dg {

// A folder of its own under the system's temporary one, made empty and deleted with its content when
// the object goes. Its path is canonical and begins with "duragraph-PURPOSE-". Where none can be made
// std::filesystem::filesystem_error is thrown.
class ScratchFolder {
 public:
  explicit ScratchFolder(std::string_view purpose);
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace dg
