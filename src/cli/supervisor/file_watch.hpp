// Notices changes of a project's files.
#pragma once

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <string_view>

#include "base/env.hpp"

namespace dg::cli {

// Whether a change of a file with this name can change what a project's graphs do: Python sources,
// langgraph*.json, files of dependencies and of environment variables. Data that graphs write while
// they run is none of these.
bool is_source_file(std::string_view name);

// Watches `dir` and the folders in it, but for those that hold no source (hidden ones, environments,
// caches), and calls `changed` once 200 ms have passed without a further change of a source file.
class FileWatch {
 public:
  FileWatch(boost::asio::io_context& io, const Env& env, std::filesystem::path dir,
            std::function<void()> changed);
  Task<void> run();

 private:
  // Whether the folder holds a source file already, whose writing nobody has told of.
  bool add(const std::filesystem::path& dir);
  bool matters(int watch, std::string_view name, std::uint32_t mask);

  Env env_;
  std::filesystem::path dir_;
  std::function<void()> changed_;
  boost::asio::posix::basic_stream_descriptor<Executor> inotify_;
  std::map<int, std::filesystem::path> folders_;
  Timers::Id pending_ = 0;
};

}  // namespace dg::cli
