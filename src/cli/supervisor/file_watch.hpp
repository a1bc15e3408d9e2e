// Notices changes of a project's files.
#pragma once

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string_view>

#include "base/env.hpp"
#include "cli/project/project.hpp"

namespace dg::cli {

// Whether a change of a file with this name can change what a project's graphs do: Python sources,
// langgraph*.json, files of dependencies and of environment variables. Data that graphs write while
// they run is none of these.
bool is_source_file(std::string_view name);

// Watches folders and what is in them, but for folders that hold no source (hidden ones, environments,
// caches), and single files wherever they are. Calls `changed` once 200 ms have passed without a
// further change of a source file or of one of those files.
class FileWatch {
 public:
  // `sources` is asked at the start and after each change, which may be one of what there is to watch.
  FileWatch(boost::asio::io_context& io, const Env& env, std::function<Sources()> sources,
            std::function<void()> changed);
  Task<void> run();

 private:
  struct Folder {
    std::filesystem::path path;
    bool is_source = false;  // else it is watched for single files in it
  };

  void watch_sources();
  // Whether the folder holds a source file already, whose writing nobody has told of.
  bool add(const std::filesystem::path& dir);
  Folder* watch(const std::filesystem::path& dir);
  bool matters(int watch, std::string_view name, std::uint32_t mask);

  Env env_;
  std::function<Sources()> sources_;
  std::function<void()> changed_;
  boost::asio::posix::basic_stream_descriptor<Executor> inotify_;
  std::set<std::filesystem::path> roots_;  // the folders of `sources_` that are watched
  std::set<std::filesystem::path> files_;
  std::map<int, Folder> folders_;
  Timers::Id pending_ = 0;
};

}  // namespace dg::cli
