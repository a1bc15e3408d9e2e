// The Python worker host that the program carries in itself.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/embed/file.hpp"

namespace dg::cli {

// Every file of the package duragraph_host, sorted by path.
const std::vector<EmbeddedFile>& host_files();

// Names the content of all files, as 12 hexadecimal digits.
std::string host_hash();

// Makes sure that `data_dir`/host-<hash>/duragraph_host holds the package, and returns that folder's
// parent, which is to be on PYTHONPATH. The folder appears whole or not at all, also when several
// processes do this at once; a complete one is left as it is.
Result<std::filesystem::path> unpack_host(const std::filesystem::path& data_dir);

}  // namespace dg::cli
