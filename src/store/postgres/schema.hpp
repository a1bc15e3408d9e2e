// The schema files of deploy/sql, which people apply with psql and the program by itself.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dg::store::postgres {

struct SchemaFile {
  std::int64_t version;   // the number that its name begins with
  std::string_view name;  // "001_init.sql"
  std::string_view text;
};

// In the order in which they are applied.
std::span<const SchemaFile> schema_files();

// The statements of a file, without the lines that only psql understands.
std::string script_of(const SchemaFile& file);

// The names of what the files make of a kind, "TABLE" or "INDEX".
std::vector<std::string> made_by_schema(std::string_view kind);

}  // namespace dg::store::postgres
