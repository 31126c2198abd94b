// What a session does for --tokens before it begins.
#include <catch2/catch.hpp>

#include "session/scene.hpp"
#include "session/session_checks.hpp"

using namespace longhaul;
using namespace longhaul::session;
using namespace longhaul::session::test;

TEST_CASE("the residues of an input are told from its first records", "[session]") {
  std::vector<Record> records;
  for (std::uint64_t i = 0; i < 50; ++i) {
    records.push_back(fakes::sequence_record(i, std::string(60, 'A')));
  }
  fakes::VectorReader in_part(records);
  CHECK(sampled_residues(in_part, 16) == 50 * 60);
  CHECK(in_part.position().position == 16);
  fakes::VectorReader whole(records);
  CHECK(sampled_residues(whole, 4096) == 50 * 60);
  fakes::VectorReader empty({});
  CHECK(sampled_residues(empty, 16) == 0);
}

TEST_CASE("a disk too small for residues is refused before anything is written", "[session]") {
  Scene scene;
  scene.files.free = 10'000;
  scene.config.tokens = true;
  const Error error = scene.failure();
  CHECK(error.code() == ExitCode::kIo);
  CHECK_THAT(error.what(), Catch::Contains("residues, 9.8 KiB free"));
  CHECK(scene.encoders == 0);
  CHECK_FALSE(std::filesystem::exists(scene.config.output));
  scene.config.tokens = false;
  CHECK(scene.run().code == ExitCode::kDone);
}

TEST_CASE("what residues will need is said before the start", "[session]") {
  Scene scene;
  scene.config.tokens = true;
  CHECK(scene.run().code == ExitCode::kDone);
  const auto told = [&] {
    return std::count_if(scene.log.lines.begin(), scene.log.lines.end(), [](const auto& line) {
      return line.second.find("tokens.npy will need about ") != std::string::npos;
    });
  };
  CHECK(told() == 1);
  CHECK(scene.content("tokens.npy").size() > 128);
  scene.run();
  CHECK(told() == 1);
}
