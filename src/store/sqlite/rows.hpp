// Columns in the order in which store/columns.hpp reads them.
#pragma once

#include <string_view>

#include "store/columns.hpp"

namespace dg::store::sqlite {

inline constexpr std::string_view assistant_content_columns =
    "graph_id, name, description, config, context, metadata";
inline constexpr std::string_view lease_columns = "owner, kind, thread_id, epoch, session_id, applied_n";
inline constexpr std::string_view write_columns = "task_id, task_path, idx, channel, type, data";

}  // namespace dg::store::sqlite
