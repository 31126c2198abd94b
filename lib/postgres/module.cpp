// The entry point of the PostgreSQL module: see export/database_table.hpp.
#include <memory>

#include "postgres/postgres_table.hpp"

extern "C" __attribute__((visibility("default"))) longhaul::export_room::DatabaseTable*
longhaul_open_database_table(std::uint64_t abi,
                             const longhaul::export_room::DatabaseTarget* target) {
  if (abi != longhaul::export_room::kDatabaseModuleAbi) {
    return nullptr;
  }
  return std::make_unique<longhaul::postgres::PostgresTable>(*target).release();
}
