// What the machine itself allows: the figures beside which the server's stand.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "cli/bench/workloads.hpp"
#include "store/postgres/conninfo.hpp"

namespace dg::cli::bench {

// The three-node graph in a loop of one Python process with LangGraph's saver in memory.
struct BareGraph {
  double p50_ms = 0;
  double runs_per_second = 0;
};
Task<Result<BareGraph>> measure_bare_graph(Bench& bench);

// As many streams of tokens at once in one Python process, read where they are made.
struct BareTokens {
  double p50_ms = 0;  // how late they are
  double p99_ms = 0;
  double per_second = 0;
};
Task<Result<BareTokens>> measure_bare_tokens(Bench& bench, int streams, int tokens_per_second);

// What is reached when the rows that a server wrote for its runs, or threads, are written to another database
// of the same schema, those of 32 in each commit. `what` is the table that has one row for each.
struct BareStore {
  double per_second = 0;
  double rows_each = 0;
  double bytes_each = 0;  // of the log
};
// From the server's `database`.
Result<BareStore> measure_bare_sqlite(const std::filesystem::path& database, std::string_view what,
                                      Duration duration);
// From one database into another one, which is empty.
Result<BareStore> measure_bare_postgres(const store::postgres::Conninfo& from,
                                        const store::postgres::Conninfo& to, std::string_view what,
                                        Duration duration);

// How long the disk takes to have 8 kB more at the end of a file, in milliseconds, p50.
double measure_flush(Duration duration);

// Rows per run in each table of a server's `database` that has any, the most first.
std::vector<std::pair<std::string, double>> sqlite_rows_per_run(const std::filesystem::path& database);
std::vector<std::pair<std::string, double>> postgres_rows_per_run(const store::postgres::Conninfo& database);

// A server on a thread of its own that answers every GET of /bytes with `body`.
class MemoryServer {
 public:
  explicit MemoryServer(std::string body);
  ~MemoryServer();
  MemoryServer(const MemoryServer&) = delete;
  MemoryServer& operator=(const MemoryServer&) = delete;
  const std::string& url() const { return url_; }

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
  std::string url_;
  std::thread thread_;
};

}  // namespace dg::cli::bench
