// A file that the program carries in itself.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace dg::cli {

struct EmbeddedFile {
  std::string_view path;  // relative
  std::string_view content;
};

// Writes the files under `folder`, making folders where they are missing.
Status write_files(const std::vector<EmbeddedFile>& files, const std::filesystem::path& folder);

}  // namespace dg::cli
