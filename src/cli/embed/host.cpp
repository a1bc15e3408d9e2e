#include "cli/embed/host.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <system_error>

#include "base/env.hpp"

namespace dg::cli {
namespace {

namespace fs = std::filesystem;

bool is_complete(const fs::path& package) {
  for (const auto& file : host_files()) {
    std::error_code error;
    const auto size = fs::file_size(package / file.path, error);
    if (error || size != file.content.size()) return false;
  }
  return true;
}

}  // namespace

std::string host_hash() {
  std::string all;
  for (const auto& file : host_files()) {
    all.append(file.path)
        .append("\n")
        .append(std::to_string(file.content.size()))
        .append("\n")
        .append(file.content);
  }
  return sha256_hex(all).substr(0, 12);
}

Result<fs::path> unpack_host(const fs::path& data_dir) {
  auto target = data_dir / ("host-" + host_hash());
  if (is_complete(target / "duragraph_host")) return target;

  const auto scratch = data_dir / fmt::format(".host-{}", ::getpid());
  std::error_code error;
  fs::remove_all(scratch, error);
  if (auto written = write_files(host_files(), scratch / "duragraph_host"); !written) {
    fs::remove_all(scratch, error);
    return fail(written.error());
  }
  fs::rename(scratch, target, error);
  if (error && !is_complete(target / "duragraph_host")) {
    // What stands there is damaged: a folder can only be renamed onto an empty one.
    fs::remove_all(target, error);
    fs::rename(scratch, target, error);
  }
  std::error_code ignored;
  fs::remove_all(scratch, ignored);
  if (is_complete(target / "duragraph_host")) return target;
  return fail(Errc::internal, fmt::format("the Python host cannot be unpacked to {}: {}", target.string(),
                                          error ? error.message() : "it is not complete"));
}

}  // namespace dg::cli
