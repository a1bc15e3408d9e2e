// Notices changes of a project's files.
#pragma once

#include <filesystem>
#include <functional>
#include <map>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "base/env.hpp"

namespace dg::cli {

// Watches `dir` and the folders in it, but for those that hold no source (hidden ones, environments,
// caches), and calls `changed` once 200 ms have passed without a further change of a file that
// matters: *.py, *.json, *.toml, *.txt and .env.
class FileWatch {
 public:
  FileWatch(boost::asio::io_context& io, const Env& env, std::filesystem::path dir, std::function<void()> changed);
  Task<void> run();

 private:
  void add(const std::filesystem::path& dir);
  bool matters(int watch, std::string_view name, std::uint32_t mask);

  Env env_;
  std::filesystem::path dir_;
  std::function<void()> changed_;
  boost::asio::posix::basic_stream_descriptor<Executor> inotify_;
  std::map<int, std::filesystem::path> folders_;
  Timers::Id pending_ = 0;
};

}  // namespace dg::cli
