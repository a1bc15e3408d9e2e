// The files that this program was built with. tests/next_release puts others in their place.
#include "store/postgres/schema.hpp"

namespace dg::store::postgres {

std::span<const SchemaFile> schema_files() {
  static const std::vector<SchemaFile> files{
#include "postgres_schema.inc"
  };
  return files;
}

std::span<const SchemaFile> schema_upgrades() {
  static const std::vector<SchemaFile> upgrades{
#include "postgres_upgrades.inc"
  };
  return upgrades;
}

}  // namespace dg::store::postgres
