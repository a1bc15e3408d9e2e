#include "cli/bench/workloads.hpp"

namespace dg::cli::bench {

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> all{
      {"startup", "exec to the first answer; an idle server's memory", &bench_startup},
      {"runs", "thread + run + wait of a three-node graph, at 1, 8 and 32 clients", &bench_runs},
      {"create", "runs accepted durably, 64 connections", &bench_create},
      {"state", "GET /threads/{id}/state, 8 clients", &bench_state},
      {"first-frame", "from the request to the first frames of a stream", &bench_first_frame},
      {"tokens", "200 streams of 50 tokens per second", &bench_tokens},
      {"readers", "one stream that 100 clients read", &bench_readers},
      {"idle", "1000 streams that wait", &bench_idle},
      {"recovery", "a killed worker's run goes on with another", &bench_recovery},
      {"chat", "bytes on the disk per turn of long conversations", &bench_chat}};
  return all;
}

}  // namespace dg::cli::bench
