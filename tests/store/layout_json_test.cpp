#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "store/progress_json.hpp"

using namespace longhaul;
using namespace longhaul::store;

TEST_CASE("a layout of one vector is spelt as it always was") {
  const StoreLayout layout = single_vector(5, OutputDtype::kFp16, {"label"});
  CHECK(to_json(layout).dump() ==
        R"({"dimension":5,"dtype":"fp16","kept_columns":["label"],"gaps_column":true,)"
        R"("windows_column":true})");
  CHECK(layout_from_json(to_json(layout)) == layout);
}

TEST_CASE("a layout of several outputs names them") {
  StoreLayout layout = single_vector(5);
  layout.outputs.push_back({"embeddings.early", ArrayKind::kVector, 7, OutputDtype::kFp16});
  layout.outputs.push_back({"tokens", ArrayKind::kTokens, 5, OutputDtype::kFp16});
  CHECK(layout_from_json(to_json(layout)) == layout);
  CHECK(array_file(layout.outputs[1]) == "embeddings.early.npy");
  CHECK(offsets_file(layout.outputs[2]) == "token_offsets.npy");
  nlohmann::json damaged = to_json(layout);
  damaged["outputs"][2]["kind"] = "pixels";
  CHECK_THROWS_WITH(layout_from_json(damaged), Catch::Contains("unknown kind \"pixels\""));
  damaged["outputs"] = nlohmann::json::array();
  CHECK_THROWS_WITH(layout_from_json(damaged), Catch::Contains("no output"));
}
