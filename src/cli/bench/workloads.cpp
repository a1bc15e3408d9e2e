#include "cli/bench/workloads.hpp"

namespace dg::cli::bench {

const std::vector<Workload>& workloads() {
  using enum Measures;
  static const std::vector<Workload> all{
      {"startup", "exec to the first answer; an idle server's memory", embedded_store, &bench_startup},
      {"runs", "thread + run + wait of a three-node graph, at 1, 8 and 32 clients", any, &bench_runs},
      {"append", "commits of three events, 64 at a time, by the store alone", any, &bench_append},
      {"create", "runs accepted durably, at 1 and 64 connections", any, &bench_create},
      {"state", "GET /threads/{id}/state, 8 clients", any, &bench_state},
      {"first-frame", "from the request to the first frames of a stream", any, &bench_first_frame},
      {"tokens", "200 streams of 50 tokens per second", any, &bench_tokens},
      {"readers", "one stream that 100 and 1,000 clients read", any, &bench_readers},
      {"idle", "10,000 streams that wait", any, &bench_idle},
      {"recovery", "a killed worker's run goes on with another", any, &bench_recovery},
      {"failover", "a killed instance's runs go on at another", several_instances, &bench_failover},
      {"claim", "from a run's creation to a worker of another instance", several_instances, &bench_claim},
      {"sizing", "500 runs of a second each and 500 reads per second, begun whatever is under way",
       deployment, &bench_sizing},
      {"stored", "what requests cost in an empty database, and with as many runs as --seed-data says",
       much_data, &bench_stored},
      {"chat", "bytes on the disk per turn of long conversations", any, &bench_chat}};
  return all;
}

std::string why_not(const Workload& workload, const Bench& bench) {
  if (workload.measures == Measures::embedded_store && bench.deployment != nullptr)
    return "measures the store of `duragraph dev`: leave --postgres out";
  if (workload.measures == Measures::deployment && bench.deployment == nullptr)
    return "measures a deployment: add --postgres";
  if (workload.measures == Measures::much_data && (bench.deployment == nullptr || bench.seed_data == 0))
    return "measures a deployment that holds much: add --postgres --seed-data 1000000";
  const int instances = bench.deployment == nullptr ? 1 : bench.deployment->instances;
  if (workload.measures == Measures::several_instances && instances < 2)
    return "measures what passes between instances: add --postgres --instances 2";
  return "";
}

}  // namespace dg::cli::bench
