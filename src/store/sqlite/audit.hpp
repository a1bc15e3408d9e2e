// Checking and rebuilding a SQLite database (store/audit).
#pragma once

#include <filesystem>
#include <memory>

#include "base/result.hpp"
#include "store/audit/port.hpp"

namespace dg::store {

// Reads the database as it is at this moment, also while a server writes to it; no file is made or
// changed. not_found: there is none; conflict: it has not the schema of this program.
Result<std::unique_ptr<audit::Audit>> open_sqlite_audit(const std::filesystem::path& path);

// The same to rebuild its read tables. busy: another process is writing.
Result<audit::Rebuilding> open_sqlite_rebuilding(const std::filesystem::path& path);

}  // namespace dg::store
