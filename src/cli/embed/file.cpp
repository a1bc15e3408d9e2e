#include "cli/embed/file.hpp"

#include <fmt/format.h>

#include <fstream>
#include <system_error>

namespace dg::cli {

Status write_files(const std::vector<EmbeddedFile>& files, const std::filesystem::path& folder) {
  for (const auto& file : files) {
    const auto path = folder / file.path;
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(file.content.data(), static_cast<std::streamsize>(file.content.size()));
    out.close();
    if (!out) return fail(Errc::internal, fmt::format("{} cannot be written", path.string()));
  }
  return {};
}

}  // namespace dg::cli
