// What a session does for --tokens before it begins.
#include <catch2/catch.hpp>

#include "session/disk_space.hpp"
#include "session/scene.hpp"
#include "store/shards.hpp"

using namespace longhaul;
using namespace longhaul::session;
using namespace longhaul::session::test;

TEST_CASE("rows and residues of an input are told from its first records", "[session]") {
  const encode::EncoderCard card =
      encode::parse_card(fakes::fake_card_text(nlohmann::json::object()), "card");
  const auto expected = [&](std::vector<Record> records, std::uint64_t look_at,
                            const prepare::SequencePolicy& policy) {
    fakes::VectorReader reader(std::move(records));
    const prepare::SequencePreprocessor preprocessor(card.alphabet, policy);
    const auto records_there = static_cast<double>(reader.progress().bytes_total.value_or(0));
    const ExpectedRecords found = records_to_come(reader, preprocessor, look_at);
    CHECK(found.rows == records_there);
    CHECK(reader.position().position <= look_at);
    return found.residues;
  };
  std::vector<Record> records;
  for (std::uint64_t i = 0; i < 50; ++i) {
    records.push_back(fakes::sequence_record(i, std::string(60, 'A')));
  }
  CHECK(expected(records, 16, {}) == 50 * 60);
  CHECK(expected(records, 4096, {}) == 50 * 60);
  CHECK(expected({}, 16, {}) == 0);
  // Of what is rejected there are none, and of what is cut those that stay.
  records[3].payload = "A1";
  records[5].payload = std::string(1000, 'A');
  CHECK(expected(records, 4096, {.max_tokens = 102}) == 48 * 60);
  CHECK(expected(records, 4096, {.max_tokens = 102, .truncate = true}) == 48 * 60 + 100);
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

TEST_CASE("shards of which not all fit on the disk are refused, whoever comes first", "[session]") {
  Scene scene;
  scene.records = fakes::generated_records(64 * 6, 60);
  scene.config.tokens = true;
  scene.config.shard = {1, 2};
  const std::string whole = scene.config.output;
  scene.files.free = 100'000;
  const Error error = scene.failure();
  CHECK(error.code() == ExitCode::kIo);
  CHECK_THAT(error.what(), Catch::Contains(" more needed for about ") &&
                               Catch::Contains(" residues in all shards, "));
  CHECK_FALSE(std::filesystem::exists(whole));
  scene.files.free.reset();
  REQUIRE(scene.run().code == ExitCode::kDone);
  CHECK(std::any_of(scene.log.lines.begin(), scene.log.lines.end(), [](const auto& line) {
    return line.second.find("in all shards, and to merge them as much again") != std::string::npos;
  }));
  // What the first has written needs no more room.
  const auto written =
      std::filesystem::file_size(store::shard_directory(whole, {1, 2}) + "/tokens.npy");
  const auto vectors = 384 * (fakes::FakeEncoderSettings{}.dimension * 4 + 168);
  const auto all = static_cast<std::uint64_t>(2.0 * static_cast<double>(written)) + vectors;
  scene.config.shard = {2, 2};
  scene.files.free = all - 2 * written + written / 2;
  const Error second = scene.failure();
  CHECK(second.code() == ExitCode::kIo);
  scene.files.free = all;
  CHECK(scene.run().code == ExitCode::kDone);
}

TEST_CASE("a retry without room for its residues leaves the output as it was", "[session]") {
  Scene scene;
  scene.config.tokens = true;
  scene.records[7].payload = "AB";
  REQUIRE(scene.run().code == ExitCode::kRejected);
  const std::vector<std::string> before = scene.results();
  scene.config.retry_rejects = true;
  scene.config.unknown = Unknown::kToken;
  scene.files.free = scene.content("tokens.npy").size();
  const Error error = scene.failure();
  CHECK(error.code() == ExitCode::kIo);
  CHECK_THAT(error.what(), Catch::Contains("its residues are written anew beside the old ones"));
  CHECK(scene.results() == before);
  scene.files.free.reset();
  CHECK(scene.run().code == ExitCode::kDone);
  CHECK(scene.results() != before);
}
