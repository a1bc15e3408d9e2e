// The workloads, each of which gives the rows that it measured.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "cli/bench/deployment.hpp"
#include "cli/bench/report.hpp"
#include "cli/bench/target.hpp"

namespace dg::cli::bench {

// What every workload is given.
struct Bench {
  SystemWorld& loop;
  const Deployment* deployment;  // of `duragraph serve`; null: `duragraph dev` is measured
  std::filesystem::path python;
  Duration duration;       // of one measurement
  std::int64_t seed_data;  // how many runs are stored before some measurements; 0: leave those out
  std::function<void(const std::string&)> progress;  // told what is being done
};

// What a workload is about.
enum class Measures { any, embedded_store, deployment, several_instances, much_data };

struct Workload {
  std::string name;
  std::string description;
  Measures measures;
  Task<Result<std::vector<Row>>> (*run)(Bench& bench);
};

// Why a workload says nothing about what this bench measures; empty when it does.
std::string why_not(const Workload& workload, const Bench& bench);

// All of them, in the order in which they run.
const std::vector<Workload>& workloads();

// From exec to the first answer, in an empty folder and again, and the idle server's memory.
Task<Result<std::vector<Row>>> bench_startup(Bench& bench);
// Thread, run and its result, for 1, 8 and 32 clients, beside the bare graph in a loop.
Task<Result<std::vector<Row>>> bench_runs(Bench& bench);
// The store alone: commits of three events, 64 at a time, beside a bare loop of the same rows.
Task<Result<std::vector<Row>>> bench_append(Bench& bench);
// Accepting runs that wait, beside a bare loop of the same rows; and one client's, beside the disk.
Task<Result<std::vector<Row>>> bench_create(Bench& bench);
// Reading a thread's state, beside a server that has the same bytes in memory.
Task<Result<std::vector<Row>>> bench_state(Bench& bench);
// From a request to the first frames of its stream.
Task<Result<std::vector<Row>>> bench_first_frame(Bench& bench);
// Streams of tokens: how late each is, and what it costs on the disk.
Task<Result<std::vector<Row>>> bench_tokens(Bench& bench);
// One stream that many read.
Task<Result<std::vector<Row>>> bench_readers(Bench& bench);
// Streams that wait for a run which does nothing.
Task<Result<std::vector<Row>>> bench_idle(Bench& bench);
// How long a run stands still when its worker is killed, alone and with its supervisor.
Task<Result<std::vector<Row>>> bench_recovery(Bench& bench);
// How long a run stands still when the instance of its worker is killed, and until another one leads.
Task<Result<std::vector<Row>>> bench_failover(Bench& bench);
// Runs that one instance queues and a worker of another gets.
Task<Result<std::vector<Row>>> bench_claim(Bench& bench);
// 500 runs of a second each and 500 reads begin in each second.
Task<Result<std::vector<Row>>> bench_sizing(Bench& bench);
// Creation, claims, states and lists in an empty database, and when it holds Bench::seed_data runs.
Task<Result<std::vector<Row>>> bench_stored(Bench& bench);
// Long conversations: bytes on the disk for each turn.
Task<Result<std::vector<Row>>> bench_chat(Bench& bench);

}  // namespace dg::cli::bench
