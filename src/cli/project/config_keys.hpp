// Which keys of langgraph.json mean something here.
#pragma once

#include <optional>
#include <string>

#include "base/json.hpp"

namespace dg::cli {

// One sentence that names each key of the file that is not used here, with what it would do, and each
// that is not known; nothing when there is none. A key that holds others is named by those it holds.
std::optional<std::string> describe_unused_keys(json::View config);

}  // namespace dg::cli
