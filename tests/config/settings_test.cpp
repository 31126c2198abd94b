// The table of settings: every value a setting takes comes back, and what it does not take is said.
#include <nlohmann/json.hpp>
#include <set>

#include "config/suggest.hpp"
#include "expect.hpp"

namespace longhaul::config {
namespace {

using nlohmann::json;
using test::usage_error;

RunConfig with(const std::string& name, const std::string& value) {
  RunConfig config;
  const Setting* setting = find_setting(name);
  REQUIRE(setting != nullptr);
  setting->set(config, value);
  return config;
}

json read_back(const std::string& name, const std::string& value) {
  return find_setting(name)->get(with(name, value));
}

TEST_CASE("every setting has a unique name, a short flag of its own and help") {
  std::set<std::string_view> names;
  std::set<std::string_view> short_flags;
  for (const Setting& setting : settings_table()) {
    INFO(setting.name);
    CHECK(names.insert(setting.name).second);
    CHECK((setting.short_flag.empty() || short_flags.insert(setting.short_flag).second));
    CHECK(!setting.help.empty());
  }
  CHECK(names.size() == 60);
}

TEST_CASE("what get() writes, set() reads to the same value") {
  for (const auto& [name, text] : std::vector<std::pair<std::string, std::string>>{
           {"format", "parquet"},         {"skip-lines", "3"},
           {"delimiter", "tab"},          {"delimiter", ";"},
           {"delimiter", "pipe"},         {"gaps", "remove"},
           {"batch-size", "32"},          {"batch-tokens", "9007199254740993"},
           {"commit-every", "250ms"},     {"commit-every", "90"},
           {"commit-every", "1.5h"},      {"order", "input"},
           {"pooling", "mean-compat"},    {"too-long", "truncate"},
           {"unknown", "token"},          {"device", "cuda:3"},
           {"device", "cuda:0,2"},        {"processes", "3"},
           {"memory-limit", "1.5GiB"},    {"max-rejects", "12"},
           {"max-rejects", "0.1%"},       {"time-limit", "2d"},
           {"skip-duplicates", "dhash"},  {"progress", "json"},
           {"log-level", "warning"},      {"on-leak", "recycle"},
           {"mps-high-watermark", "0.7"}, {"strict", "yes"},
           {"too-long", "window"},        {"window-overlap", "0"}}) {
    INFO(name << " " << text);
    const json value = read_back(name, text);
    const std::string again = value.is_string() ? value.get<std::string>() : value.dump();
    CHECK(read_back(name, again) == value);
    CHECK(value != find_setting(name)->get(RunConfig{}));
  }
}

TEST_CASE("numbers keep all their digits") {
  CHECK(*with("batch-tokens", "9007199254740993").batch_tokens == 9007199254740993ULL);
  CHECK(read_back("max-rejects", "0.1%") == "0.1%");
}

TEST_CASE("sizes and durations have units") {
  CHECK(*with("memory-limit", "2G").memory_limit == 2ULL << 30);
  CHECK(with("commit-every", "0").commit_every.count() == 0);
  CHECK(with("time-limit", "10m").time_limit->count() == 600'000);
}

TEST_CASE("the words for a choice left open clear it") {
  CHECK(!with("batch-size", "auto").batch_size);
  CHECK(!with("pooling", "card").pooling);
  CHECK(!with("time-limit", "none").time_limit);
  CHECK(!with("max-rejects", "none").max_rejects.limited());
  CHECK(!with("recycle-every", "never").recycle_every);
}

TEST_CASE("a value that is not allowed is named with what is") {
  const auto message = [](const std::string& name, const std::string& value) {
    return usage_error([&] { with(name, value); });
  };
  CHECK(message("device", "tpu") ==
        "'tpu' is not a device; allowed: auto, cpu, cuda, cuda:N, mps, "
        "cuda:0,2, cuda:all");
  CHECK(message("device", "cuda:x").find("'cuda:x' is not a device") == 0);
  CHECK(message("batch-size", "0") ==
        "'0' is out of range; allowed: a whole number from 1 to 1000000, or auto");
  CHECK(message("batch-size", "8.0").find("'8.0' is not a whole number") == 0);
  CHECK(message("batch-size", "-1").find("'-1' is not a whole number") == 0);
  CHECK(message("window", "99999999999999999999").find("is not a whole number") !=
        std::string::npos);
  CHECK(message("dtype", "float16") ==
        "'float16' is not one of its values; allowed: fp32, bf16, fp16");
  CHECK(message("too-long", "cut") ==
        "'cut' is not one of its values; allowed: reject, truncate, window");
  CHECK(message("commit-every", "soon").find("'soon' is not a duration") == 0);
  CHECK(message("time-limit", "0").find("'0' leaves no time") == 0);
  CHECK(message("memory-limit", "80%").find("'80%' is not a size") == 0);
  CHECK(message("max-rejects", "101%").find("'101%' is not a share") == 0);
  CHECK(message("max-rejects", "some").find("'some' is neither a number nor a share") == 0);
  CHECK(message("model-sha256", "abc").find("'abc' is not a SHA-256") == 0);
  CHECK(message("mps-high-watermark", "2.1").find("'2.1' is not such a ratio") == 0);
  CHECK(message("mps-high-watermark", "nan").find("'nan' is not such a ratio") == 0);
  CHECK(message("strict", "maybe").find("'maybe' is neither true nor false") == 0);
}

TEST_CASE("a mistyped word finds its neighbour, a strange one finds none") {
  const std::vector<std::string> known{"batch-size", "batch-tokens", "order"};
  CHECK(nearest_word("batchsize", known) == "batch-size");
  CHECK(nearest_word("BATCH_SIZE", known) == "batch-size");
  CHECK(nearest_word("ordre", known) == std::nullopt);
  CHECK(nearest_word("oder", known) == "order");
  CHECK(nearest_word("hidden", known) == std::nullopt);
}

}  // namespace
}  // namespace longhaul::config
