// What a bench found, for a person and for a program.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/bench/load.hpp"

namespace dg::cli::bench {

// One line of the result: a workload, what it reached, and what the same machine allowed in the same
// minute.
struct Row {
  std::string workload;
  int clients = 0;
  Samples samples;                                        // empty for a workload that has no times
  std::vector<std::pair<std::string, double>> figures{};  // named figures beside the times
  std::vector<std::pair<std::string, double>> limits{};   // named likewise
  std::string note{};
};

// A table of all rows.
std::string to_table(const std::vector<Row>& rows);
// {"machine", "server", "rows": [{"workload", "clients", "count", "errors", "p50_ms", …}]}
std::string to_json(const std::vector<Row>& rows, const std::string& machine, const std::string& server);

// The processor and the kernel, as "2 x Intel(R) Xeon(R) …, Linux 6.1".
std::string describe_machine();

}  // namespace dg::cli::bench
