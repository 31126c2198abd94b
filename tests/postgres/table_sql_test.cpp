#include "postgres/table_sql.hpp"

#include <catch2/catch.hpp>

using namespace longhaul;
using namespace longhaul::postgres;
using Catch::Contains;
using export_room::TableShape;
using export_room::VectorMetric;

TEST_CASE("names and texts are quoted") {
  CHECK(quoted_name("a\"; DROP") == "\"a\"\"; DROP\"");
  CHECK(quoted_text("it's") == "'it''s'");
}

TEST_CASE("an index beyond 2,000 numbers is over halves") {
  TableShape shape;
  shape.schema = "public";
  shape.name = "e";
  shape.dimension = GENERATE(2000U, 2001U);
  const TableSql sql(shape, "public");
  const std::string made = sql.create_index(VectorMetric::kCosine);
  if (shape.dimension == 2000) {
    CHECK_THAT(made, Contains("(vector \"public\".vector_cosine_ops)"));
  } else {
    CHECK_THAT(made,
               Contains("((vector::\"public\".halfvec(2001)) \"public\".halfvec_cosine_ops)"));
  }
}
