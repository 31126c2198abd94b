// Settings that contradict each other are refused, by name.
#include "expect.hpp"

namespace longhaul::config {
namespace {

using test::usage_error;
using Flags = std::vector<std::pair<std::string, std::string>>;

std::string refused(const Flags& flags) {
  const RunConfig config = resolve_config(flags, {}, {}).config;
  return usage_error([&] { validate_config(config); });
}

bool accepted(const Flags& flags) {
  validate_config(resolve_config(flags, {}, {}).config);
  return true;
}

TEST_CASE("batches are cut by records or by tokens") {
  CHECK(refused({{"batch-size", "8"}, {"batch-tokens", "512"}})
            .find("--batch-size and --batch-tokens exclude each other") == 0);
  CHECK(refused({{"order", "input"}, {"batch-tokens", "512"}}).find("--order input cuts") == 0);
  CHECK(accepted({{"order", "input"}, {"batch-size", "8"}}));
}

TEST_CASE("mean-compat needs input order and a fixed batch size") {
  CHECK(refused({{"pooling", "mean-compat"}, {"batch-size", "8"}}).find("--order is length") !=
        std::string::npos);
  CHECK(refused({{"pooling", "mean-compat"}, {"order", "input"}}).find("--batch-size is auto") !=
        std::string::npos);
  CHECK(accepted({{"pooling", "mean-compat"}, {"order", "input"}, {"batch-size", "8"}}));
}

TEST_CASE("strict and a limit, retry and overwrite, quiet and a bar exclude each other") {
  CHECK(refused({{"strict", "true"}, {"max-rejects", "5"}}).find("--strict and --max-rejects") ==
        0);
  CHECK(refused({{"retry-rejects", "true"}, {"overwrite", "true"}}).find("--retry-rejects") == 0);
  CHECK(refused({{"quiet", "true"}, {"progress", "bar"}}).find("--quiet and --progress") == 0);
  CHECK(refused({{"quiet", "true"}, {"log-level", "debug"}}).find("--quiet and --log-level") == 0);
  CHECK(accepted({{"quiet", "true"}, {"progress", "none"}}));
  CHECK(accepted({{"quiet", "true"}, {"log-level", "error"}}));
}

TEST_CASE("settings of one format are refused with another") {
  CHECK(refused({{"format", "fasta"}, {"sequence-column", "x"}}).find("--sequence-column") == 0);
  CHECK(refused({{"format", "images"}, {"skip-lines", "1"}}).find("--skip-lines") == 0);
  CHECK(
      refused({{"format", "images"}, {"allow-nucleotides", "true"}}).find("--allow-nucleotides") ==
      0);
  CHECK(refused({{"keep-column", "a"}, {"keep-column", "a"}}).find("--keep-column a") == 0);
  CHECK(accepted({{"format", "tsv"}, {"sequence-column", "x"}, {"skip-lines", "1"}}));
}

TEST_CASE("standard input is read once and cannot be recycled") {
  RunConfig config;
  config.inputs = {"-"};
  CHECK_NOTHROW(validate_config(config));
  config.recycle_every = 100;
  CHECK(usage_error([&] { validate_config(config); }).find("a recycled process") == 0);
  config.recycle_every.reset();
  config.inputs = {"-", "-"};
  CHECK(usage_error([&] { validate_config(config); }).find("standard input ('-')") == 0);
}

TEST_CASE("model, input and output must be named") {
  RunConfig config;
  CHECK(usage_error([&] { require_positions(config); }).find("no model is given") == 0);
  config.model = "m.ts";
  CHECK(usage_error([&] { require_positions(config); }).find("no input is given") == 0);
  config.files_from = "list.txt";
  CHECK(usage_error([&] { require_positions(config); }).find("no output directory") == 0);
  config.output = "out";
  CHECK_NOTHROW(require_positions(config));
}

}  // namespace
}  // namespace longhaul::config
