#include "base/process_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace dg {
namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
}

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double size = 0;
  double resident = 0;
  statm >> size >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double open_files() {
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  if (error) return 0;
  // Without the one that looks.
  return static_cast<double>(std::distance(begin(files), end(files))) - 1;
}

double most_open_files() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

void show_process(Metrics& metrics) {
  metrics.counter_callback("process_cpu_seconds_total", "Time of processors that was used", {}, cpu_seconds);
  metrics.gauge_callback("process_resident_memory_bytes", "Memory in use", {}, resident_bytes);
  metrics.gauge_callback("process_open_fds", "Open files, sockets among them", {}, open_files);
  metrics.gauge_callback("process_max_fds", "More cannot be opened", {}, most_open_files);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  metrics.gauge("process_start_time_seconds", "When the process started")
      .set(std::chrono::duration<double>(now).count());
}

}  // namespace dg
