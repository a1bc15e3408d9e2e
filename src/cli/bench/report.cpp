#include "cli/bench/report.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <cmath>
#include <fstream>
#include <thread>

#include "base/json.hpp"
#include "cli/client/output.hpp"

namespace dg::cli::bench {
namespace {

// Three significant digits, without an exponent.
std::string short_number(double value) {
  if (value == 0) return "0";
  const int digits = 2 - static_cast<int>(std::floor(std::log10(std::fabs(value))));
  return fmt::format("{:.{}f}", value, std::max(0, digits));
}

std::string named(const std::vector<std::pair<std::string, double>>& values) {
  std::string out;
  for (const auto& [name, value] : values)
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, short_number(value));
  return out;
}

void write_named(json::Writer& out, const std::vector<std::pair<std::string, double>>& values) {
  out.begin_object();
  for (const auto& [name, value] : values) out.key(name).number(value);
  out.end_object();
}

}  // namespace

std::string to_table(const std::vector<Row>& rows) {
  std::vector<std::vector<std::string>> cells{
      {"workload", "clients", "p50 ms", "p95 ms", "p99 ms", "per s", "errors", "also", "limit"}};
  for (const auto& row : rows) {
    const auto& s = row.samples;
    const bool timed = s.count() > 0;
    const auto at = [&](double share) { return timed ? short_number(s.percentile(share)) : "-"; };
    cells.push_back({row.workload, row.clients > 0 ? std::to_string(row.clients) : "-", at(0.5), at(0.95),
                     at(0.99), timed ? short_number(s.per_second()) : "-", std::to_string(s.errors()),
                     named(row.figures), named(row.limits)});
  }
  auto out = format_table(cells);
  for (const auto& row : rows) {
    if (!row.note.empty()) out += fmt::format("{}: {}\n", row.workload, row.note);
    if (row.samples.errors() > 0)
      out += fmt::format("{}: the commonest error: {}\n", row.workload, row.samples.commonest_error());
  }
  return out;
}

std::string to_json(const std::vector<Row>& rows, const std::string& machine, const std::string& server) {
  json::Writer out;
  out.begin_object().key("machine").string(machine).key("server").string(server).key("rows").begin_array();
  for (const auto& row : rows) {
    const auto& s = row.samples;
    out.begin_object().key("workload").string(row.workload).key("clients").integer(row.clients);
    out.key("count").integer(static_cast<std::int64_t>(s.count())).key("errors").integer(s.errors());
    if (s.count() > 0) {
      out.key("p50_ms").number(s.percentile(0.5)).key("p95_ms").number(s.percentile(0.95));
      out.key("p99_ms").number(s.percentile(0.99)).key("per_second").number(s.per_second());
    }
    out.key("figures");
    write_named(out, row.figures);
    out.key("limits");
    write_named(out, row.limits);
    if (!row.note.empty()) out.key("note").string(row.note);
    out.end_object();
  }
  return out.end_array().end_object().take();
}

std::string describe_machine() {
  std::string model = "unknown processor";
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("model name")) continue;
    model = line.substr(line.find(": ") + 2);
    break;
  }
  utsname system{};
  ::uname(&system);
  return fmt::format("{} x {}, {} {}", std::thread::hardware_concurrency(), model, system.sysname,
                     system.release);
}

}  // namespace dg::cli::bench
