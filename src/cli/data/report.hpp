// How findings and counts are shown.
#pragma once

#include <string>

#include "base/json.hpp"
#include "cli/client/output.hpp"
#include "store/audit/findings.hpp"

namespace dg::cli {

// One line for each finding that was kept, and one that says how many more there are.
void print_findings(Output& out, const store::audit::Findings& findings);
// "3 findings: 2 row-differs, 1 version-gap", or that there are none.
std::string summary(const store::audit::Findings& findings);
// "12 events, 1 assistant, …"
std::string summary(const store::audit::Checked& checked);

// The members "findings", "total", "counts" and "checked" of an open object.
void write_findings(json::Writer& json, const store::audit::Findings& findings);
void write_checked(json::Writer& json, const store::audit::Checked& checked);

}  // namespace dg::cli
