#include "session/session.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "session/scene.hpp"

using namespace longhaul;
using namespace longhaul::session;
using namespace longhaul::session::test;

namespace {

// Batches end within a record that takes windows.
void use(Scene& scene, const nlohmann::json& model) {
  scene.use(model);
  if (model.contains("max_tokens")) {
    scene.config.batch_size = 2;
  }
}

std::vector<std::string> undisturbed(const nlohmann::json& model = {{"fake", true}}) {
  Scene scene;
  use(scene, model);
  scene.config.batch_size.reset();
  REQUIRE(scene.run().code == ExitCode::kDone);
  return scene.results();
}

// Two records that cannot be embedded as the settings are.
void spoil(Scene& scene) {
  scene.records[7].payload += "1";
  scene.records[31].payload = "B2";
}

}  // namespace

TEST_CASE("a session embeds every record and says so in run.json", "[session]") {
  Scene scene;
  scene.config.json = true;
  const SessionEnd end = scene.run();
  CHECK(end.code == ExitCode::kDone);
  CHECK_FALSE(end.interrupted);
  CHECK(end.summary.at("state") == "complete");
  const nlohmann::json report = scene.report();
  CHECK(report.at("counts").at("ok") == 50);
  CHECK(report.at("bits") == "exact");
  CHECK(report.at("sessions").size() == 1);
}

TEST_CASE("a finished run that is started again loads nothing and repeats its code", "[session]") {
  Scene scene;
  spoil(scene);
  CHECK(scene.run().code == ExitCode::kRejected);
  const std::vector<std::string> before = scene.results();
  const std::string report = scene.content("run.json");
  scene.encoders = 0;
  CHECK(scene.run().code == ExitCode::kRejected);
  CHECK(scene.encoders == 0);
  CHECK(scene.said("is complete: nothing to do"));
  CHECK(scene.results() == before);
  CHECK(scene.content("run.json") == report);
}

TEST_CASE("a finished run whose input is another now is a mismatch", "[session]") {
  Scene scene;
  scene.run();
  scene.records.pop_back();
  CHECK(scene.failure().code() == ExitCode::kMismatch);
}

TEST_CASE("a run that is killed at any operation goes on to the same bytes", "[session]") {
  const auto which = static_cast<std::size_t>(GENERATE(0, 1, 2));
  const nlohmann::json model =
      std::vector{nlohmann::json{{"fake", true}}, three_outputs(), short_windows()}[which];
  const std::vector<std::string> expected = undisturbed(model);
  std::uint64_t kills = 0;
  for (std::uint64_t at = 1;; at += fakes::kEach) {
    Scene scene;
    use(scene, model);
    const bool killed = scene.files.kills(at, [&] { scene.run(); });
    kills += killed ? 1U : 0U;
    REQUIRE(killed == scene.files.fired());
    INFO("killed at operation " << at);
    REQUIRE(scene.run().code == ExitCode::kDone);
    REQUIRE(scene.results() == expected);
    if (!killed) {
      break;
    }
  }
  CHECK(kills > 50 / fakes::kEach);
}

TEST_CASE("a run that is stopped says how far it is and goes on", "[session]") {
  const std::vector<std::string> expected = undisturbed();
  Scene scene;
  scene.config.batch_size = 4;
  std::size_t stops = 0;
  for (std::uint64_t look = 2; look < 60; look += 3) {
    scene.stop_at_look = look;
    SessionEnd end;
    try {
      end = scene.run();
    } catch (const Error& error) {
      REQUIRE(error.code() == ExitCode::kInterrupted);  // while the input was read again
      continue;
    }
    if (!end.interrupted) {
      break;
    }
    ++stops;
    REQUIRE(end.code == ExitCode::kInterrupted);
    REQUIRE(end.summary.at("state") == "interrupted");
  }
  CHECK(stops > 1);
  scene.stop_at_look.reset();
  CHECK(scene.run().code == ExitCode::kDone);
  CHECK(scene.results() == expected);
  CHECK(scene.report().at("sessions").size() >= stops);
}

TEST_CASE("a setting that makes the numbers may not change between sessions", "[session]") {
  using Change = std::function<void(config::RunConfig&)>;
  const std::vector<std::pair<std::string, Change>> changes{
      {"sequence-column", [](auto& config) { config.sequence_column = "heavy"; }},
      {"id-column", [](auto& config) { config.id_column = "name"; }},
      {"keep-column", [](auto& config) { config.keep_column = {"label"}; }},
      {"skip-lines", [](auto& config) { config.skip_lines = 1; }},
      {"delimiter", [](auto& config) { config.delimiter = ";"; }},
      {"pooling", [](auto& config) { config.pooling = Pooling::kMax; }},
      {"normalize", [](auto& config) { config.normalize = Normalize::kL2; }},
      {"dtype", [](auto& config) { config.dtype = Dtype::kBf16; }},
      {"output-dtype", [](auto& config) { config.output_dtype = OutputDtype::kFp16; }},
      {"tokens", [](auto& config) { config.tokens = true; }},
      {"tokens-dtype", [](auto& config) { config.tokens_dtype = OutputDtype::kFp32; }},
      {"max-length", [](auto& config) { config.max_length = 30; }},
      {"too-long", [](auto& config) { config.too_long = TooLong::kTruncate; }},
      {"too-long", [](auto& config) { config.too_long = TooLong::kWindow; }},
      {"unknown", [](auto& config) { config.unknown = Unknown::kToken; }},
      {"gaps", [](auto& config) { config.gaps = Gaps::kRemove; }},
  };
  for (const bool finished : {false, true}) {
    Scene scene;
    if (!finished) {
      scene.config.batch_size = 4;
      scene.stop_at_look = 12;
      REQUIRE(scene.run().interrupted);
      scene.stop_at_look.reset();
    } else {
      scene.run();
    }
    const std::string journal = scene.content("journal.jsonl");
    const config::RunConfig as_it_was = scene.config;
    for (const auto& [name, change] : changes) {
      INFO(name << (finished ? " of a finished run" : " of a stopped run"));
      change(scene.config);
      const Error error = scene.failure();
      CHECK(error.code() == ExitCode::kMismatch);
      CHECK(std::string(error.what()).find("was made with " + name + " ") != std::string::npos);
      scene.config = as_it_was;
    }
    scene.set_model({{"fake", true}, {"nan_every", 0}});
    CHECK(std::string(scene.failure().what()).find("model_sha256") != std::string::npos);
    scene.set_model({{"fake", true}});
    CHECK(scene.content("journal.jsonl") == journal);
    CHECK(scene.run().code == ExitCode::kDone);
  }
}

TEST_CASE("sessions on unlike machines make the bits numeric", "[session]") {
  Scene scene;
  scene.config.batch_size = 4;
  scene.stop_at_look = 12;
  REQUIRE(scene.run().interrupted);
  scene.stop_at_look.reset();
  scene.bits_machine = "elsewhere";
  CHECK(scene.run().code == ExitCode::kDone);
  CHECK(scene.report().at("bits") == "numeric");
  CHECK(scene.said("unlike machines"));
}

TEST_CASE("the rejected rows of a complete output are embedded again and merged", "[session]") {
  const nlohmann::json model =
      GENERATE(0, 1) == 0 ? nlohmann::json{{"fake", true}} : three_outputs();
  Scene scene;
  scene.set_model(model);
  spoil(scene);
  REQUIRE(scene.run().code == ExitCode::kRejected);
  const std::vector<std::string> before = scene.results();
  scene.config.retry_rejects = true;
  scene.config.unknown = Unknown::kToken;

  Scene straight;
  straight.set_model(model);
  spoil(straight);
  straight.config.unknown = Unknown::kToken;
  straight.run();

  std::uint64_t kills = 0;
  for (std::uint64_t at = 1;; at += 3) {
    scene.files.kill_at(at);
    try {
      scene.run();
    } catch (const Killed&) {
      ++kills;
      continue;
    }
    break;
  }
  CHECK(kills > 10);
  scene.files.kill_at(UINT64_MAX);
  const auto end = scene.run();
  CHECK(scene.results() == straight.results());
  CHECK(scene.results() != before);
  CHECK(end.code == straight.run().code);
}

TEST_CASE("a retry of another input is discarded, and the output stays", "[session]") {
  Scene scene;
  spoil(scene);
  scene.run();
  const std::vector<std::string> before = scene.results();
  scene.config.retry_rejects = true;
  scene.config.unknown = Unknown::kToken;
  scene.records[40].payload += "A";
  CHECK(scene.failure().code() == ExitCode::kMismatch);
  CHECK(scene.results() == before);
  CHECK_FALSE(std::filesystem::exists(scene.config.output + "/retry.partial"));
}

TEST_CASE("a retry of nothing does nothing", "[session]") {
  Scene scene;
  scene.run();
  scene.encoders = 0;
  scene.config.retry_rejects = true;
  CHECK(scene.run().code == ExitCode::kDone);
  CHECK(scene.encoders == 0);
  CHECK(scene.said("nothing to retry"));
  // Not even of another input, or with other settings.
  scene.config.pooling = Pooling::kMax;
  CHECK(scene.failure().code() == ExitCode::kMismatch);
  scene.config.pooling.reset();
  scene.records[40].payload += "A";
  CHECK(scene.failure().code() == ExitCode::kMismatch);
}

TEST_CASE("a finished run whose records were all rejected says so again", "[session]") {
  Scene scene;
  for (Record& record : scene.records) {
    record.payload = "MK?L";
  }
  CHECK(scene.run().code == ExitCode::kBadData);
  CHECK(scene.run().code == ExitCode::kBadData);
  CHECK(scene.said("nothing to do"));
  CHECK(std::ranges::count_if(scene.log.lines, [](const auto& line) {
          return line.second.find("every record was rejected") != std::string::npos;
        }) == 2);
}

TEST_CASE("only a complete output is retried", "[session]") {
  Scene scene;
  scene.config.retry_rejects = true;
  CHECK(scene.failure().code() == ExitCode::kUsage);
}

TEST_CASE("a run that starts anew hands on what it has used of its time", "[session]") {
  const std::vector<std::string> expected = undisturbed();
  Scene scene;
  scene.config.batch_size = 4;
  scene.config.recycle_every = 3;
  std::uint64_t recycles = 0;
  for (;; ++recycles) {
    REQUIRE(recycles < 50);
    try {
      const SessionEnd end = scene.run();
      REQUIRE(end.code == ExitCode::kDone);
      break;
    } catch (const Killed&) {
      REQUIRE(scene.anew->recycles == recycles + 1);
      scene.anew->lock = -1;  // closed here: no process was replaced
      scene.continuation = scene.anew;
    }
  }
  CHECK(recycles > 1);
  CHECK(scene.results() == expected);
}

TEST_CASE("more rejects than allowed end a run, which says why in run.json", "[session]") {
  Scene scene;
  spoil(scene);
  scene.config.strict = true;
  const Error error = scene.failure();
  CHECK(error.code() == ExitCode::kBadData);
  CHECK(scene.report().at("state") == error.what());
  CHECK(scene.report().at("code") == to_int(ExitCode::kBadData));
}

TEST_CASE("a long record without numbers is one record, however many windows it has", "[session]") {
  Scene scene;
  nlohmann::json model = short_windows();
  model["nan_every"] = 60;
  scene.use(model);
  // Some thousand windows, of which more than 1 % are not finite.
  scene.records[3].payload = std::string(40000, 'A');
  CHECK(scene.run().code == ExitCode::kRejected);
  CHECK(scene.report().at("counts").at("stayed_not_finite") < 10);
}

TEST_CASE("what is not ours is not touched", "[session]") {
  Scene scene;
  std::filesystem::create_directory(scene.config.output);
  std::ofstream(scene.config.output + "/thesis.tex") << "years of work";
  scene.config.overwrite = true;
  CHECK(scene.failure().code() == ExitCode::kMismatch);
  CHECK(scene.content("thesis.tex") == "years of work");
  CHECK(std::distance(std::filesystem::directory_iterator(scene.config.output), {}) == 1);
}
