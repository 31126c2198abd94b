// --update: an output exchanged for its next generation.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "session/scene.hpp"

using namespace longhaul;
using namespace longhaul::session;
using namespace longhaul::session::test;

namespace {

std::string update_residues(std::uint64_t number) {
  std::string text(3 + number * 7 % 30, 'A');
  for (std::size_t i = 0; i < 3; ++i, number /= 20) {
    text[i] = "ACDEFGHIKLMNPQRSTVWY"[number % 20];
  }
  return text;
}

// Night n has the records [2 n, 40 + 3 n).
std::vector<Record> night(std::uint64_t n) {
  std::vector<Record> records;
  for (std::uint64_t i = 2 * n; i < 40 + 3 * n; ++i) {
    records.push_back(fakes::sequence_record(i, update_residues(i)));
    records.back().position = records.back().row = records.size() - 1;
  }
  return records;
}

struct Nightly : Scene {
  Nightly() {
    records = night(0);
    REQUIRE(run().code == ExitCode::kDone);
    std::ofstream(config.output + "/notes.txt") << "somebody's";
    config.update = true;
  }
  std::vector<std::string> fresh() {
    Scene scene;
    scene.records = records;
    REQUIRE(scene.run().code == ExitCode::kDone);
    return scene.results();
  }
  bool alone() const {
    return std::distance(std::filesystem::directory_iterator(directory),
                         std::filesystem::directory_iterator()) == 2;  // the model and the output
  }
};

}  // namespace

TEST_CASE("each night's output is the bits of a fresh run, of which only new rows are computed",
          "[session]") {
  Nightly scene;
  for (std::uint64_t n = 1; n <= 3; ++n) {
    scene.records = night(n);
    const std::vector<std::string> expected = scene.fresh();
    REQUIRE(scene.run().code == ExitCode::kDone);
    CHECK(scene.results() == expected);
    const nlohmann::json report = scene.report();
    CHECK(report.at("generation") == n + 1);
    CHECK(report.at("bits") == "exact");
    const nlohmann::json reuse = report.at("counts").at("reuse");
    CHECK(reuse.at("reused") == 40 + 3 * n - 3 - 2 * n);
    CHECK(reuse.at("new") == 3);
    CHECK(reuse.at("changed") == 0);
    CHECK(reuse.at("removed") == 2);
    CHECK(report.at("sessions").size() == 1);
    CHECK(report.at("sessions").back().at("timings").at("records") == 3);
    CHECK(scene.content("notes.txt") == "somebody's");
    CHECK(scene.alone());
  }
  // The same input again is no work.
  CHECK(scene.run().code == ExitCode::kDone);
  CHECK(scene.report().at("generation") == 4);
  CHECK(scene.said("is complete: nothing to do"));
}

TEST_CASE(
    "an update that is killed at any operation leaves the old output, the new one, or what "
    "the next start completes",
    "[session]") {
  const bool exchanges = GENERATE(true, false);
  CAPTURE(exchanges);
  const unsigned later = GENERATE(1U, 2U);  // the night of the next start
  CAPTURE(later);
  std::uint64_t reached = 0;
  std::vector<std::string> before;
  std::vector<std::string> after;
  std::vector<std::string> expected;
  {
    Nightly scene;
    before = scene.results();
    scene.records = night(later);
    expected = scene.fresh();
    scene.records = night(1);
    after = scene.fresh();
    scene.files.exchanges = exchanges;
    scene.files.kill_at(UINT64_MAX);
    scene.run();
    reached = scene.files.operations();
  }
  REQUIRE(reached > 60);
  std::uint64_t absent = 0;
  for (std::uint64_t at = 1; at <= reached; at += later == 2 || fakes::kSanitized ? 5 : 1) {
    CAPTURE(at);
    Nightly scene;
    scene.files.exchanges = exchanges;
    scene.records = night(1);
    REQUIRE(scene.files.kills(at, [&] { scene.run(); }));
    if (std::filesystem::exists(scene.config.output)) {
      const std::vector<std::string> found = scene.results();
      REQUIRE((found == before || found == after));
    } else {
      ++absent;
    }
    scene.records = night(later);
    REQUIRE(scene.run().code == ExitCode::kDone);
    REQUIRE(scene.results() == expected);
    REQUIRE(scene.content("notes.txt") == "somebody's");
    REQUIRE(scene.alone());
  }
  if (exchanges || (later == 1 && !fakes::kSanitized)) {  // each operation, the one between too
    CHECK(exchanges == (absent == 0));
  }
}

TEST_CASE("an update of nothing is a plain run", "[session]") {
  Scene scene;
  scene.config.update = true;
  REQUIRE(scene.run().code == ExitCode::kDone);
  CHECK_FALSE(scene.report().contains("generation"));
}

TEST_CASE("an output that is not finished serves with what it has", "[session]") {
  Scene scene;
  scene.records = night(0);
  scene.config.batch_size = 1;
  scene.stop_at_look = 30;
  REQUIRE(scene.run().interrupted);
  scene.stop_at_look.reset();
  scene.config.batch_size.reset();
  scene.records = night(1);
  scene.config.update = true;
  Scene fresh;
  fresh.records = night(1);
  REQUIRE(fresh.run().code == ExitCode::kDone);
  REQUIRE(scene.run().code == ExitCode::kDone);
  CHECK(scene.results() == fresh.results());
  const nlohmann::json reuse = scene.report().at("counts").at("reuse");
  CHECK(reuse.at("reused") > 0);
  CHECK(reuse.at("new") > 3);
}

TEST_CASE("an update with another setting is refused, and the output is as it was", "[session]") {
  Nightly scene;
  const std::vector<std::string> before = scene.results();
  scene.records = night(1);
  scene.config.normalize = Normalize::kL2;
  const Error error = scene.failure();
  CHECK(error.code() == ExitCode::kMismatch);
  CHECK_THAT(error.what(), Catch::Contains("normalize"));
  CHECK(scene.results() == before);
  CHECK(scene.alone());
}

TEST_CASE("a link is followed, and where a file system is mounted nothing is exchanged",
          "[session]") {
  Nightly scene;
  scene.records = night(1);
  SECTION("mounted") {
    scene.files.mounted = true;
    CHECK(scene.failure().code() == ExitCode::kUsage);
  }
  SECTION("link") {
    const std::vector<std::string> expected = scene.fresh();
    const std::string link = scene.directory + "/link";
    std::filesystem::create_directory_symlink(scene.config.output, link);
    scene.config.output = link + GENERATE("", "/", "/.");
    REQUIRE(scene.run().code == ExitCode::kDone);
    CHECK(std::filesystem::is_symlink(link));
    CHECK(scene.results() == expected);
    CHECK_FALSE(std::filesystem::exists(link + ".update"));
  }
}

TEST_CASE("a directory that has the next output's name and is another's is left alone",
          "[session]") {
  Nightly scene;
  scene.records = night(1);
  const std::string next = scene.config.output + ".update";
  SECTION("an output") {
    const std::string output = std::exchange(scene.config.output, next);
    scene.config.update = false;
    REQUIRE(scene.run().code == ExitCode::kDone);
    scene.config.update = true;
    scene.config.output = output;
  }
  SECTION("other files") {
    std::filesystem::create_directory(next);
    std::ofstream(next + "/notes.txt") << "other";
  }
  CHECK(scene.failure().code() == ExitCode::kMismatch);
  CHECK_FALSE(std::filesystem::is_empty(next));
}

TEST_CASE("an update that gives no record a vector leaves the output as it was", "[session]") {
  Nightly scene;
  const std::vector<std::string> before = scene.results();
  scene.records = night(1);
  const std::vector<std::string> expected = scene.fresh();
  for (Record& record : scene.records) {
    record.payload = "M?K";
  }
  const Error error = scene.failure();
  CHECK(error.code() == ExitCode::kBadData);
  CHECK_THAT(error.what(), Catch::Contains("stays as it was"));
  CHECK(scene.results() == before);
  CHECK(scene.content("notes.txt") == "somebody's");
  scene.records = night(1);
  REQUIRE(scene.run().code == ExitCode::kDone);
  CHECK(scene.results() == expected);
  CHECK(scene.alone());
}

TEST_CASE("what is not the run's moves along, and permissions stay", "[session]") {
  Nightly scene;
  scene.records = night(1);
  std::ofstream(scene.config.output + "/embeddings.umap.npy") << "somebody's";
  std::filesystem::permissions(scene.config.output, std::filesystem::perms::owner_all);
  scene.files.exchanges = GENERATE(true, false);
  REQUIRE(scene.run().code == ExitCode::kDone);
  CHECK(scene.content("embeddings.umap.npy") == "somebody's");
  CHECK(scene.content("notes.txt") == "somebody's");
  CHECK(std::filesystem::status(scene.config.output).permissions() ==
        std::filesystem::perms::owner_all);
  CHECK(scene.alone());
}

TEST_CASE("an update does not take rows of itself twice, and another output may change meanwhile",
          "[session]") {
  Nightly scene;
  scene.records = night(1);
  SECTION("itself") {
    scene.config.reuse = {scene.config.output + "/"};
    CHECK(scene.failure().code() == ExitCode::kUsage);
  }
  SECTION("another") {
    const std::string output = std::exchange(scene.config.output, scene.directory + "/other");
    const auto make_other = [&](std::uint64_t n) {
      scene.config.update = false;
      scene.config.overwrite = true;
      scene.records = night(n);
      REQUIRE(scene.run().code == ExitCode::kDone);
      scene.config.overwrite = false;
      scene.config.update = true;
    };
    make_other(5);
    scene.config.output = output;
    scene.config.reuse = {scene.directory + "/other"};
    scene.records = night(1);
    scene.config.batch_size = 1;
    scene.stop_at_look = 1;
    REQUIRE(scene.run().interrupted);
    scene.stop_at_look.reset();
    scene.config.reuse.clear();
    scene.config.output = scene.directory + "/other";
    make_other(6);
    scene.config.output = output;
    scene.config.reuse = {scene.directory + "/other"};
    scene.records = night(1);
    REQUIRE(scene.run().code == ExitCode::kDone);
    CHECK(scene.said("it begins anew"));
  }
}

TEST_CASE("what an update left of before a retry is begun anew", "[session]") {
  Nightly scene;
  scene.records = night(1);
  scene.config.batch_size = 1;
  scene.stop_at_look = 1;
  REQUIRE(scene.run().interrupted);
  scene.stop_at_look.reset();
  const std::vector<std::string> expected = scene.fresh();
  SECTION("the output is another now") {
    scene.config.update = false;
    scene.config.overwrite = true;
    REQUIRE(scene.run().code == ExitCode::kDone);
    scene.config.overwrite = false;
    scene.config.update = true;
    scene.records = night(2);
    REQUIRE(scene.run().code == ExitCode::kDone);
    CHECK(scene.said("it begins anew"));
    scene.records = night(1);
    REQUIRE(scene.run().code == ExitCode::kDone);
  }
  SECTION("it is the same") {
    REQUIRE(scene.run().code == ExitCode::kDone);
    CHECK(scene.said("continuing the update of"));
  }
  CHECK(scene.results() == expected);
}
