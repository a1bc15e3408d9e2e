// The Python worker host that the program carries in itself.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace dg::cli {

struct HostFile {
  std::string_view path;  // inside the package duragraph_host
  std::string_view content;
};

// Every file of the package, sorted by path.
const std::vector<HostFile>& host_files();

// Names the content of all files, as 12 hexadecimal digits.
std::string host_hash();

// Makes sure that `data_dir`/host-<hash>/duragraph_host holds the package, and returns that folder's
// parent, which is to be on PYTHONPATH. The folder appears whole or not at all, also when several
// processes do this at once; a complete one is left as it is.
Result<std::filesystem::path> unpack_host(const std::filesystem::path& data_dir);

}  // namespace dg::cli
