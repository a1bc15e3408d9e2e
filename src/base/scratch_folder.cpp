#include "base/scratch_folder.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

namespace dg {

namespace fs = std::filesystem;

ScratchFolder::ScratchFolder(std::string_view purpose) {
  std::string name = fs::canonical(fs::temp_directory_path()) / "duragraph-";
  name.append(purpose).append("-XXXXXX");  // what mkdtemp replaces
  if (::mkdtemp(name.data()) == nullptr)
    throw fs::filesystem_error("no temporary folder can be made", name,
                               std::error_code(errno, std::generic_category()));
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace dg
