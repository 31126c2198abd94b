// A DatabaseTable of PostgreSQL with pgvector. One thread; owns its connection.
// Errors: see export/push_output.hpp and connection.hpp.
#pragma once

#include <optional>
#include <string>

#include "export/database_table.hpp"
#include "postgres/connection.hpp"
#include "postgres/copy_rows.hpp"

namespace longhaul::postgres {

class PostgresTable : public export_room::DatabaseTable {
 public:
  explicit PostgresTable(const export_room::DatabaseTarget& target);

  void check() override;
  bool has_rows() const override { return may_hold_rows_; }
  void make() override;
  void refuse_others() override;
  void add(const export_room::PushedRow& row) override { rows_.add(row); }
  export_room::BatchOutcome commit() override;
  bool make_index() override;
  std::string place() const override { return connection_.place(); }

 private:
  void find_extension();
  void find_schema();
  void check_columns();
  void check_key();
  void check_maker();
  void check_index(bool sized);
  bool has_index();
  void create();
  void look_for_others();
  export_room::BatchOutcome compare(std::vector<bool>& wanted);
  bool send(const std::vector<bool>& wanted, std::uint64_t rows);
  std::string table_words() const;

  export_room::TableShape shape_;
  std::optional<export_room::VectorMetric> index_;
  Connection connection_;
  std::string extension_schema_;
  std::string table_id_;        // a number; empty while there is no table
  bool may_hold_rows_ = false;  // that this push did not put there
  CopyRows rows_;               // since the last commit
};

}  // namespace longhaul::postgres
