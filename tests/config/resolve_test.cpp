// Where settings come from, and which source wins.
#include <nlohmann/json.hpp>

#include "expect.hpp"

namespace longhaul::config {
namespace {

using nlohmann::json;
using test::usage_error;
using Flags = std::vector<std::pair<std::string, std::string>>;
using Environment = std::map<std::string, std::string>;

bool mentions(const std::vector<std::string>& lines, const std::string& text) {
  for (const std::string& line : lines) {
    if (line.find(text) != std::string::npos) {
      return true;
    }
  }
  return false;
}

TEST_CASE("a flag goes before the environment, that before the file, that before the default") {
  const json file = {{"window", 64}, {"order", "input"}, {"threads", 3}};
  const Environment environment{{"LONGHAUL_WINDOW", "128"}, {"LONGHAUL_ORDER", "length"}};
  const ResolvedConfig resolved = resolve_config({{"window", "256"}}, environment, file);
  CHECK(resolved.config.window == 256);
  CHECK(resolved.origins.at("window") == Origin::kFlag);
  CHECK(resolved.config.order == Order::kLength);
  CHECK(resolved.origins.at("order") == Origin::kEnvironment);
  CHECK(resolved.variables.at("order") == "LONGHAUL_ORDER");
  CHECK(resolved.config.threads == 3U);
  CHECK(resolved.origins.at("threads") == Origin::kFile);
  CHECK(resolved.config.dtype == Dtype::kFp32);
  CHECK(resolved.origins.at("dtype") == Origin::kDefault);
}

TEST_CASE("a repeatable setting is replaced as a whole by the stronger source") {
  const json file = {{"keep-column", {"label", "x"}}};
  CHECK(resolve_config({}, {}, file).config.keep_column == std::vector<std::string>{"label", "x"});
  CHECK(resolve_config({{"keep-column", "a"}, {"keep-column", "b"}}, {}, file).config.keep_column ==
        std::vector<std::string>{"a", "b"});
  CHECK(resolve_config({}, {{"LONGHAUL_KEEP_COLUMN", "a,b"}}, file).config.keep_column ==
        std::vector<std::string>{"a,b"});
  CHECK(resolve_config({}, {{"LONGHAUL_KEEP_COLUMN", R"(["a", "b"])"}}, {}).config.keep_column ==
        std::vector<std::string>{"a", "b"});
  CHECK(usage_error([] {
          resolve_config({}, {{"LONGHAUL_KEEP_COLUMN", "[1]"}}, {});
        }).find("LONGHAUL_KEEP_COLUMN: '[1]' is not a list of texts") == 0);
}

json value_of(const char* value) {
  return json::object({{"value", value}, {"origin", "flag"}});
}

TEST_CASE("a run.json is replayed with what its retries allowed") {
  json run = {{"settings",
               {{"too-long", value_of("reject")},
                {"unknown", value_of("reject")},
                {"batch-tokens", {{"value", 4096}, {"origin", "decided"}}},
                {"max-pixels", {{"value", 5000}, {"origin", "flag"}}}}},
              {"working_directory", "/home/there"}};
  const auto retry = [](const char* too_long, const char* unknown) {
    return json{{"settings", {{"too-long", too_long}, {"unknown", unknown}, {"max-pixels", 1000}}}};
  };
  ResolvedConfig resolved = resolve_config({}, {}, run);
  CHECK(resolved.config.too_long == TooLong::kReject);
  CHECK(resolved.recorded_directory == "/home/there");

  run["retries"] = {retry("truncate", "reject")};
  run["retries"][0]["changed"] = {{"memory-limit", {{"before", nullptr}, {"now", 123456}}},
                                  {"batch-tokens", {{"before", 4096}, {"now", nullptr}}}};
  resolved = resolve_config({}, {}, run);
  CHECK(resolved.config.too_long == TooLong::kTruncate);
  CHECK(resolved.config.unknown == Unknown::kReject);
  CHECK(resolved.config.max_pixels == 5000);  // never less than the run's own
  CHECK(resolved.config.memory_limit == 123456U);
  CHECK_FALSE(resolved.config.batch_tokens);
  CHECK(resolved.warnings.empty());

  run["retries"].push_back(retry("truncate", "token"));
  resolved = resolve_config({}, {}, run);
  CHECK(resolved.config.unknown == Unknown::kToken);
  CHECK(resolved.warnings.empty());  // the second allowed all

  run["retries"] = {retry("truncate", "reject"), retry("reject", "token")};
  resolved = resolve_config({}, {}, run);
  CHECK(resolved.config.too_long == TooLong::kTruncate);
  CHECK(resolved.config.unknown == Unknown::kToken);
  CHECK(mentions(resolved.warnings, "retried with different settings in turn"));

  run["settings"]["too-long"] = value_of("truncate");
  run["retries"] = {retry("reject", "token")};
  CHECK_FALSE(resolve_config({}, {}, run).warnings.empty());
}

TEST_CASE("a file's model and inputs are taken, and a flag may not be given twice") {
  const json file = {{"model", "m.ts"},
                     {"inputs", {"a.csv", "b.csv"}},
                     {"output", "out"},
                     {"description", "an example"}};
  const RunConfig config = resolve_config({}, {}, file).config;
  CHECK(config.model == "m.ts");
  CHECK(config.inputs == std::vector<std::string>{"a.csv", "b.csv"});
  CHECK(config.output == "out");
  CHECK(usage_error([] {
          resolve_config({{"window", "1"}, {"window", "2"}}, {}, {});
        }) == "--window is given twice; give it once");
}

TEST_CASE("an unknown key is an error that names its neighbour or lists what is allowed") {
  const auto message = [](const json& file) {
    return usage_error([&] { resolve_config({}, {}, file, "a.json"); });
  };
  CHECK(message({{"batch_size", 8}}) ==
        "a.json: 'batch_size' is not a setting; did you mean 'batch-size'?");
  CHECK(message({{"colour", 8}}).find("allowed: model, inputs, description, format") !=
        std::string::npos);
  CHECK(message({{"overwrite", true}}) ==
        "a.json: overwrite is only allowed on the command line; "
        "remove it and give --overwrite when you mean it");
}

TEST_CASE("a bad value names its source, also when a stronger source hides it") {
  CHECK(usage_error([] { resolve_config({{"window", "x"}}, {}, {}); }).find("--window: 'x'") == 0);
  CHECK(usage_error([] {
          resolve_config({{"window", "8"}}, {{"LONGHAUL_WINDOW", "x"}}, {});
        }).find("LONGHAUL_WINDOW: 'x'") == 0);
  CHECK(usage_error([] {
          resolve_config({{"window", "8"}}, {}, json{{"window", "x"}}, "a.json");
        }).find("a.json: window: 'x'") == 0);
}

TEST_CASE("a file's values have the type of their setting") {
  const auto message = [](const json& file) {
    return usage_error([&] { resolve_config({}, {}, file, "a.json"); });
  };
  CHECK(message({{"strict", 1}}) ==
        "a.json: strict: 1 is not a value for it; allowed: true, false");
  CHECK(message({{"window", true}}).find("a.json: window: true is not a value") == 0);
  CHECK(message({{"window", {1, 2}}}).find("a.json: window: takes one value, not a list") == 0);
  CHECK(message({{"window", 64.5}}).find("a.json: window: '64.5' is not a whole number") == 0);
  CHECK(message({{"inputs", {1}}}).find("a.json: inputs holds something that is not a path") == 0);
  CHECK(message(json::array()).find("a.json: is not a JSON object") == 0);
  CHECK(resolve_config({}, {}, json{{"batch-tokens", 9007199254740993ULL}}).config.batch_tokens ==
        9007199254740993ULL);
  CHECK(resolve_config({}, {}, json{{"commit-every", 2.5}}).config.commit_every.count() == 2500);
  CHECK(resolve_config({}, {}, json{{"batch-size", nullptr}}).origins.at("batch-size") ==
        Origin::kDefault);
}

TEST_CASE("of two settings that exclude each other the stronger source's stays") {
  const json file = {{"batch-tokens", 8192}, {"strict", true}, {"progress", "bar"}};
  const ResolvedConfig resolved = resolve_config({{"batch-size", "8"}, {"quiet", "true"}},
                                                 {{"LONGHAUL_MAX_REJECTS", "5"}}, file);
  CHECK(resolved.config.batch_size == 8U);
  CHECK(!resolved.config.batch_tokens);
  CHECK(resolved.origins.at("batch-tokens") == Origin::kDefault);
  CHECK(!resolved.config.strict);
  CHECK(resolved.config.progress == ProgressStyle::kAuto);
  CHECK_NOTHROW(validate_config(resolved.config));
}

TEST_CASE("what describe_config and print_config write is replayed to the same configuration") {
  const Flags flags{{"output", "out"},          {"batch-size", "32"},
                    {"keep-column", "a"},       {"keep-column", "b"},
                    {"max-rejects", "2%"},      {"commit-every", "250ms"},
                    {"memory-limit", "1.5GiB"}, {"too-long", "truncate"},
                    {"overwrite", "true"},      {"mps-high-watermark", "0.7"}};
  ResolvedConfig first = resolve_config(flags, {{"LONGHAUL_DEVICE", "cpu"}}, {});
  first.config.model = "m.ts";
  first.config.inputs = {"a.csv"};
  const json settings = describe_config(first);
  CHECK(settings.at("batch-size") == json{{"value", 32}, {"origin", "flag"}});
  CHECK(settings.at("device") ==
        json{{"value", "cpu"}, {"origin", "environment"}, {"variable", "LONGHAUL_DEVICE"}});
  CHECK(settings.at("batch-tokens") == json{{"value", nullptr}, {"origin", "default"}});
  CHECK(!settings.contains("overwrite"));

  const json report = {{"settings", settings},
                       {"model", {{"path", "m.ts"}, {"sha256", "00"}}},
                       {"inputs", {{{"path", "a.csv"}, {"size", 3}}}},
                       {"counts", {{"ok", 1}}}};
  CHECK(print_config(ResolvedConfig{}).find("\"batch-size\": {\"value\": \"auto\"") !=
        std::string::npos);
  CHECK(print_config(ResolvedConfig{}).find("\"pooling\": {\"value\": \"card\"") !=
        std::string::npos);
  const json printed = parse_config_text(print_config(first), "printed");
  for (const json& file : {report, printed}) {
    ResolvedConfig again = resolve_config({}, {}, file);
    CHECK(again.config.model == "m.ts");
    CHECK(again.config.inputs == std::vector<std::string>{"a.csv"});
    CHECK(again.config.output == "out");
    CHECK(!again.config.overwrite);
    const json replayed = describe_config(again);
    for (const auto& [name, entry] : settings.items()) {
      INFO(name);
      CHECK(replayed.at(name).at("value") == entry.at("value"));
    }
    CHECK(again.origins.at("batch-size") == Origin::kFile);
  }
}

TEST_CASE("what a run decided for settings left open is written and replayed, and no other") {
  const ResolvedConfig first = resolve_config({{"window", "64"}, {"pooling", "cls"}}, {}, {});
  const json settings = describe_config(first, {{"device", "cpu"},
                                                {"threads", 2},
                                                {"batch-tokens", 4096},
                                                {"window", 1},
                                                {"pooling", "max"}});
  CHECK(settings.at("device") == json{{"value", "cpu"}, {"origin", "decided"}});
  CHECK(settings.at("window").at("value") == 64);
  CHECK(settings.at("pooling").at("value") == "cls");
  const json report = {{"settings", settings},
                       {"model", {{"path", "m.ts"}}},
                       {"input_paths", {"folder"}},
                       {"inputs", {{{"path", "folder/a.csv"}}, {{"path", "folder/b.csv"}}}}};
  const RunConfig again = resolve_config({}, {}, report).config;
  CHECK(again.device == "cpu");
  CHECK(again.threads == 2U);
  CHECK(again.batch_tokens == 4096U);
  CHECK(again.inputs == std::vector<std::string>{"folder"});
  CHECK_NOTHROW(validate_config(resolve_config({{"batch-size", "8"}}, {}, report).config));
}

TEST_CASE("overwrite is not taken from the environment") {
  const ResolvedConfig resolved = resolve_config({}, {{"LONGHAUL_OVERWRITE", "1"}}, {});
  CHECK(!resolved.config.overwrite);
  CHECK(mentions(resolved.warnings, "LONGHAUL_OVERWRITE is not honoured"));
}

TEST_CASE("a variable that is nearly ours is warned about, another program's is not") {
  const ResolvedConfig resolved =
      resolve_config({}, {{"LONGHAUL_BATCHSIZE", "8"}, {"LONGHAUL_DATA_DIR", "x"}}, {});
  CHECK(resolved.warnings ==
        std::vector<std::string>{"the environment variable LONGHAUL_BATCHSIZE is not known and is "
                                 "left out; did you mean LONGHAUL_BATCH_SIZE?"});
  CHECK(resolve_config({}, {{"LONGHAUL_DEVICE", ""}}, {}).origins.at("device") == Origin::kDefault);
}

TEST_CASE("the variables of the original systems are honoured and reported") {
  const ResolvedConfig resolved = resolve_config(
      {}, {{"DEVICE", "cpu"}, {"GPU_BATCH_SIZE", "16"}, {"GPU_MEMORY_CLEANUP_INTERVAL", "50"}}, {});
  CHECK(resolved.config.device == "cpu");
  CHECK(resolved.variables.at("device") == "DEVICE");
  CHECK(resolved.config.batch_size == 16U);
  CHECK(resolved.config.clear_cache_every == 4);
  CHECK(mentions(resolved.notices, "--device cpu is taken from the environment variable DEVICE"));
  CHECK(mentions(resolved.notices, "GPU_BATCH_SIZE=16"));
  CHECK(mentions(resolved.notices, "counts records"));
  CHECK(resolved.warnings.empty());
}

TEST_CASE("FORCE_CPU takes 1, true and yes, and DEVICE goes before it") {
  for (const char* yes : {"1", "true", "yes", "TRUE"}) {
    CHECK(resolve_config({}, {{"FORCE_CPU", yes}}, {}).config.device == "cpu");
    CHECK(resolve_config({}, {{"FORCE_CPU", yes}, {"DEVICE", "auto"}}, {}).config.device == "cpu");
    CHECK(resolve_config({}, {{"FORCE_CPU", yes}, {"DEVICE", "cuda:1"}}, {}).config.device ==
          "cuda:1");
  }
  CHECK(resolve_config({}, {{"FORCE_CPU", "0"}}, {}).origins.at("device") == Origin::kDefault);
  CHECK(mentions(resolve_config({}, {{"FORCE_CPU", "maybe"}}, {}).warnings, "FORCE_CPU=maybe"));
}

TEST_CASE("our own names go before the original systems'") {
  const Environment environment{{"DEVICE", "mps"},
                                {"GPU_BATCH_SIZE", "16"},
                                {"LONGHAUL_DEVICE", "cpu"},
                                {"LONGHAUL_BATCH_TOKENS", "512"}};
  const ResolvedConfig resolved = resolve_config({}, environment, {});
  CHECK(resolved.config.device == "cpu");
  CHECK(!resolved.config.batch_size);
  CHECK(resolved.notices.empty());
  CHECK(resolve_config({{"device", "cuda"}}, {{"DEVICE", "mps"}}, {}).config.device == "cuda");
}

TEST_CASE("a foreign value that makes no sense is warned about and left out") {
  const ResolvedConfig resolved = resolve_config({},
                                                 {{"DEVICE", "tpu"},
                                                  {"GPU_BATCH_SIZE", "abc"},
                                                  {"GPU_MEMORY_CLEANUP_ENABLED", "perhaps"},
                                                  {"GPU_MEMORY_CLEANUP_INTERVAL", "0"}},
                                                 {});
  CHECK(resolved.config.device == "auto");
  CHECK(!resolved.config.batch_size);
  CHECK(resolved.config.clear_cache_every == 10);
  CHECK(resolved.warnings.size() == 4);
  CHECK(mentions(resolved.warnings, "DEVICE=tpu makes no sense"));
  CHECK(mentions(resolved.warnings, "GPU_BATCH_SIZE=abc makes no sense"));
  CHECK(
      resolve_config({}, {{"GPU_MEMORY_CLEANUP_ENABLED", "false"}}, {}).config.clear_cache_every ==
      0);
}

TEST_CASE("a configuration file is JSON without repeated keys") {
  const auto message = [](const std::string& text) {
    return usage_error([&] { parse_config_text(text, "a.json"); });
  };
  CHECK(message("{\n\"window\": 8,\n}") == "a.json: is not JSON: line 3; correct the file");
  CHECK(message("").find("a.json: is not JSON") == 0);
  CHECK(message("[]").find("a.json: is not a JSON object") == 0);
  CHECK(message(R"({"window": 8, "window": 9})") ==
        "a.json: 'window' is given twice; keep one of them");
  CHECK(parse_config_text(R"({"a": {"x": 1}, "b": {"x": 1}})", "a.json").size() == 2);
}

}  // namespace
}  // namespace longhaul::config
