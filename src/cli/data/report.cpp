#include "cli/data/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace dg::cli {
namespace {

using store::audit::Checked;
using store::audit::Finding;
using store::audit::Findings;

struct Count {
  std::string_view name;
  std::string_view one;
  std::int64_t Checked::* member;
};
constexpr std::array counts{Count{"events", "event", &Checked::events},
                            Count{"assistants", "assistant", &Checked::assistants},
                            Count{"threads", "thread", &Checked::threads},
                            Count{"runs", "run", &Checked::runs},
                            Count{"frames", "frame", &Checked::frames},
                            Count{"leases", "lease", &Checked::leases},
                            Count{"checkpoints", "checkpoint", &Checked::checkpoints},
                            Count{"values", "value", &Checked::values}};

std::string line_of(const Finding& finding) {
  std::string ids;
  for (const auto& [name, id] : finding.ids) ids += fmt::format(" {}={}", name, id);
  std::string line = fmt::format("{} {}: {}", finding.kind, ids, finding.message);
  std::ranges::replace(line, '\n', ' ');
  return line;
}

}  // namespace

void print_findings(Output& out, const Findings& findings) {
  for (const auto& finding : findings.kept()) out.line(out.printable(line_of(finding)));
  const auto more = findings.total() - findings.kept().size();
  if (more > 0) out.line(fmt::format("… and {} more; --limit shows them", more));
}

std::string summary(const Findings& findings) {
  if (findings.total() == 0) return "no findings";
  std::string kinds;
  for (const auto& [kind, count] : findings.counts())
    kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", count, kind);
  return fmt::format("{} finding{}: {}", findings.total(), findings.total() == 1 ? "" : "s", kinds);
}

std::string summary(const Checked& checked) {
  std::string out;
  for (const auto& count : counts) {
    const auto value = checked.*count.member;
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", value, value == 1 ? count.one : count.name);
  }
  return out;
}

void write_findings(json::Writer& json, const Findings& findings) {
  json.key("findings").begin_array();
  for (const auto& finding : findings.kept()) {
    json.begin_object().key("kind").string(finding.kind).key("ids").begin_object();
    for (const auto& [name, id] : finding.ids) json.key(name).string(id);
    json.end_object().key("message").string(finding.message).end_object();
  }
  json.end_array().key("total").integer(static_cast<std::int64_t>(findings.total()));
  json.key("counts").begin_object();
  for (const auto& [kind, count] : findings.counts())
    json.key(kind).integer(static_cast<std::int64_t>(count));
  json.end_object();
}

void write_checked(json::Writer& json, const Checked& checked) {
  json.key("checked").begin_object();
  for (const auto& count : counts) json.key(count.name).integer(checked.*count.member);
  json.end_object();
}

}  // namespace dg::cli
