// Every configuration in configs/ is accepted as it is shipped.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "expect.hpp"

namespace longhaul::config {
namespace {

ResolvedConfig shipped(const std::filesystem::path& path) {
  std::ifstream stream(path);
  std::ostringstream text;
  text << stream.rdbuf();
  return resolve_config({}, {}, parse_config_text(text.str(), path.string()), path.string());
}

std::filesystem::path configs() {
  const char* root = std::getenv("LONGHAUL_SOURCE_DIR");
  return std::filesystem::path(root == nullptr ? "." : root) / "configs";
}

TEST_CASE("the shipped configurations are accepted") {
  for (const char* name : {"antibody_csv", "image_folder", "original_pipeline"}) {
    INFO(name);
    const ResolvedConfig resolved = shipped(configs() / (std::string(name) + ".json"));
    CHECK_NOTHROW(validate_config(resolved.config));
    CHECK(resolved.warnings.empty());
  }
}

TEST_CASE("the original pipeline's configuration has its settings, and -b 8 its training step's") {
  const RunConfig config = shipped(configs() / "original_pipeline.json").config;
  CHECK(config.pooling == Pooling::kMeanCompat);
  CHECK(config.order == Order::kInput);
  CHECK(config.batch_size == 32U);
  CHECK(config.clear_cache_every == 10);
  CHECK(config.too_long == TooLong::kTruncate);
  CHECK(config.strict);
}

}  // namespace
}  // namespace longhaul::config
