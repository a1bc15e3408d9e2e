#include "cli/server/port_holder.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace dg::cli {
namespace {

namespace fs = std::filesystem;

// The inodes of sockets that listen on `port`, from the kernel's tables (proc(5), net/tcp).
std::set<std::string> listening_inodes(std::uint16_t port) {
  std::set<std::string> inodes;
  const auto suffix = fmt::format(":{:04X}", port);
  for (const auto* const table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream in(table);
    std::string line;
    while (std::getline(in, line)) {
      std::istringstream words(line);
      std::string slot, local, remote, state, queues, timer, retransmits, user, timeout, inode;
      words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> user >> timeout >> inode;
      if (state == "0A" && local.ends_with(suffix)) inodes.insert("socket:[" + inode + "]");
    }
  }
  return inodes;
}

}  // namespace

std::string port_holder(std::uint16_t port) {
  const auto inodes = listening_inodes(port);
  std::error_code error;
  for (const auto& process : fs::directory_iterator("/proc", error)) {
    const auto pid = process.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    std::error_code hidden;
    for (const auto& file : fs::directory_iterator(process.path() / "fd", hidden)) {
      if (!inodes.contains(fs::read_symlink(file.path(), hidden).string())) continue;
      std::ifstream name(process.path() / "comm");
      std::string command;
      std::getline(name, command);
      return fmt::format("{} (process {})", command, pid);
    }
  }
  return "another process";
}

}  // namespace dg::cli
