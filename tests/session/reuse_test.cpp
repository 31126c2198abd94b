// --reuse: rows of older outputs in place of computed ones.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "session/scene.hpp"

using namespace longhaul;
using namespace longhaul::session;
using namespace longhaul::session::test;

namespace {

constexpr std::uint64_t kAllRecords = 50;

// Different sequences of 3 to 40 residues; some of another night.
std::string residues(std::uint64_t number) {
  std::string text(3 + number * 7 % 38, 'A');
  for (std::size_t i = 0; i < 3; ++i, number /= 20) {
    text[i] = "ACDEFGHIKLMNPQRSTVWY"[number % 20];
  }
  return text;
}

std::vector<Record> first_night() {
  std::vector<Record> records;
  for (std::uint64_t i = 0; i < kAllRecords; ++i) {
    records.push_back(fakes::sequence_record(i, residues(i)));
  }
  records[7].payload = "A1";
  return records;
}

void number(std::vector<Record>& records) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    records[i].position = records[i].row = i;
    records[i].line = i + 2;
  }
}

// Of the first: three removed (one of them had no vector), two changed, one moved to the front
// under another name, four new, one of which has no vector.
std::vector<Record> second_night() {
  std::vector<Record> records = first_night();
  records[20].payload = residues(1020);
  records[33].payload = residues(1033);
  Record moved = records[40];
  moved.id = "moved";
  for (const std::size_t gone : {40U, 25U, 7U, 0U}) {
    records.erase(records.begin() + static_cast<std::ptrdiff_t>(gone));
  }
  records.insert(records.begin(), moved);
  for (std::uint64_t i = 0; i < 4; ++i) {
    Record added = fakes::sequence_record(0, residues(2000 + i));
    added.id = "new" + std::to_string(i);
    records.insert(records.begin() + static_cast<std::ptrdiff_t>(10 * i + 5), added);
  }
  records[5].payload = "B!";  // new0
  number(records);
  return records;
}
constexpr std::uint64_t kReused = 45;
constexpr std::uint64_t kNew = 3;
constexpr std::uint64_t kChanged = 2;
constexpr std::uint64_t kRemoved = 3;  // r0, r25, and r40 under its first name

// The first night's output, in OLD; the second night is to be embedded into OUT.
struct Nights : Scene {
  explicit Nights(const nlohmann::json& model = {{"fake", true}}) {
    use(model);
    records = first_night();
    REQUIRE(run().code == ExitCode::kRejected);
    old = directory + "/old";
    std::filesystem::rename(config.output, old);
    records = second_night();
    log.lines.clear();
  }
  void reuse() { config.reuse = {old}; }
  // All of the records computed.
  std::vector<std::string> fresh() {
    const auto reused = std::exchange(config.reuse, {});
    const std::string output = std::exchange(config.output, directory + "/fresh");
    REQUIRE(run().code == ExitCode::kRejected);
    std::vector<std::string> expected = results();
    std::filesystem::remove_all(config.output);
    config.output = output;
    config.reuse = reused;
    return expected;
  }
  std::uint64_t computed() const {
    return report().at("sessions").back().at("timings").at("records");
  }
  std::string old;
};

nlohmann::json counts(std::uint64_t reused, std::uint64_t added, std::uint64_t changed,
                      std::uint64_t removed, const std::string& from) {
  return {{"reused", reused},
          {"new", added},
          {"changed", changed},
          {"removed", removed},
          {"from", {{from, reused}}}};
}

void flip_byte(const std::string& path, std::uint64_t at) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(at));
  const char byte = static_cast<char>(file.get() ^ 1);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(byte);
}

}  // namespace

TEST_CASE("only what an older output does not hold is computed, to the bits of a fresh run",
          "[session]") {
  const auto model =
      GENERATE(nlohmann::json{{"fake", true}}, nlohmann::json{{"fake", true}, {"part_tokens", 64}},
               three_outputs(), short_windows());
  CAPTURE(model.dump());
  Nights nights(model);
  const std::vector<std::string> expected = nights.fresh();
  nights.reuse();
  REQUIRE(nights.run().code == ExitCode::kRejected);
  CHECK(nights.results() == expected);
  CHECK(nights.report().at("counts").at("reuse") ==
        counts(kReused, kNew, kChanged, kRemoved, nights.old));
  CHECK(nights.report().at("bits") == "exact");
  CHECK(nights.said("45 reused, 3 new, 2 changed, 3 removed"));
  if (!model.contains("max_tokens")) {  // there records are counted by their windows
    CHECK(nights.computed() == kNew + kChanged);
  }
}

TEST_CASE("a third night takes rows that were taken, and computes nothing where nothing is new",
          "[session]") {
  Nights nights;
  const std::vector<std::string> expected = nights.fresh();
  nights.reuse();
  REQUIRE(nights.run().code == ExitCode::kRejected);
  const std::string second = nights.config.output;
  nights.config.reuse = {second};
  nights.config.output = nights.directory + "/third";
  REQUIRE(nights.run().code == ExitCode::kRejected);
  CHECK(nights.results() == expected);
  CHECK(nights.report().at("counts").at("reuse") ==
        counts(kReused + kNew + kChanged, 0, 0, 0, second));
  CHECK(nights.computed() == 0);
}

TEST_CASE("a run that reuses goes on after a kill at any operation", "[session]") {
  const auto model = GENERATE(nlohmann::json{{"fake", true}}, short_windows());
  CAPTURE(model.dump());
  std::uint64_t reached = 0;
  std::vector<std::string> expected;
  {
    Nights nights(model);
    expected = nights.fresh();
    nights.reuse();
    nights.files.kill_at(UINT64_MAX);
    nights.run();
    reached = nights.files.operations();
  }
  REQUIRE(reached > 60);
  for (std::uint64_t at = 1; at <= reached; at += fakes::kSanitized ? 5 : 1) {
    CAPTURE(at);
    Nights nights(model);
    nights.reuse();
    REQUIRE(nights.files.kills(at, [&] { nights.run(); }));
    REQUIRE(nights.run().code == ExitCode::kRejected);
    REQUIRE(nights.results() == expected);
    REQUIRE(nights.report().at("counts").at("reuse") ==
            counts(kReused, kNew, kChanged, kRemoved, nights.old));
  }
}

TEST_CASE("a row that is not what its checksum says is computed, and said", "[session]") {
  Nights nights(three_outputs());
  const std::vector<std::string> expected = nights.fresh();
  const std::string name =
      GENERATE("embeddings.npy", "embeddings.early.npy", "tokens.npy", "checksums.npy");
  const std::string path = nights.old + "/" + name;
  flip_byte(path, std::filesystem::file_size(path) - 3);  // of the last record, which stays
  flip_byte(path, 128);                                   // of the first, which goes
  nights.reuse();
  REQUIRE(nights.run().code == ExitCode::kRejected);
  CHECK(nights.results() == expected);
  CHECK(nights.report().at("counts").at("reuse") ==
        counts(kReused - 1, kNew, kChanged + 1, kRemoved, nights.old));
  CHECK(nights.said("row 49 does not match its checksum: what is damaged there is computed"));
}

TEST_CASE("tables that are not what the run wrote are refused", "[session]") {
  Nights nights;
  flip_byte(nights.old + "/records.csv", 300);
  nights.reuse();
  CHECK(nights.failure().code() == ExitCode::kBadData);
  CHECK_FALSE(std::filesystem::exists(nights.config.output));
}

TEST_CASE("an output of another model, setting or machine is refused by name", "[session]") {
  Nights nights;
  nights.reuse();
  std::string expected;
  SECTION("model") {
    nights.set_model({{"fake", true}, {"width_matters", false}});
    expected = "/old was made with model_sha256";
  }
  SECTION("setting") {
    nights.config.normalize = Normalize::kL2;
    expected = "/old was made with normalize \"none\", this run has \"l2\"";
  }
  SECTION("output type") {
    nights.config.output_dtype = OutputDtype::kFp16;
    expected = "/old was made with output-dtype \"fp32\", this run has \"fp16\"";
  }
  SECTION("machine") {
    nights.bits_machine = "there";
    expected = "was computed with \"here\", and here it is \"there\"";
  }
  const Error error = nights.failure();
  CHECK(error.code() == ExitCode::kMismatch);
  CHECK_THAT(error.what(), Catch::Contains(expected));
  CHECK_FALSE(std::filesystem::exists(nights.config.output));
}

TEST_CASE("settings that only find the input need not be the older output's", "[session]") {
  Nights nights;
  nights.reuse();
  nights.config.id_column = "name";
  nights.config.skip_lines = 2;
  nights.config.delimiter = ";";
  REQUIRE(nights.run().code == ExitCode::kRejected);
  CHECK(nights.report().at("counts").at("reuse").at("reused") == kReused);
}

TEST_CASE("rows are taken of several outputs, of the first that has them", "[session]") {
  Nights nights;
  const std::vector<std::string> expected = nights.fresh();
  const std::string other = nights.directory + "/other";
  nights.config.output = other;
  const std::vector<Record> all = nights.records;
  nights.records = {all[5], all[6], all[15]};  // one of the old ones, two new ones
  number(nights.records);
  REQUIRE(nights.run().code == ExitCode::kRejected);
  nights.records = all;
  nights.config.output = nights.directory + "/out";
  nights.config.reuse = {nights.old, other};
  REQUIRE(nights.run().code == ExitCode::kRejected);
  CHECK(nights.results() == expected);
  const nlohmann::json reuse = nights.report().at("counts").at("reuse");
  CHECK(reuse.at("from") == nlohmann::json{{nights.old, kReused}, {other, 1}});
  CHECK(reuse.at("new") == kNew - 1);
  // Outputs whose choices are not one run's.
  nights.config.output = nights.directory + "/again";
  nights.set_model({{"fake", true}, {"part_tokens", 64}});
  CHECK(nights.failure().code() == ExitCode::kMismatch);
}

TEST_CASE("an output that is not finished serves with what it committed", "[session]") {
  Nights nights;
  const std::vector<std::string> expected = nights.fresh();
  std::filesystem::remove_all(nights.old);
  nights.config.output = nights.old;
  const std::vector<Record> second = std::exchange(nights.records, first_night());
  nights.config.batch_size = 4;
  nights.stop_at_look = 12;
  REQUIRE(nights.run().interrupted);
  nights.stop_at_look.reset();
  nights.config.batch_size.reset();
  nights.records = second;
  nights.config.output = nights.directory + "/out";
  nights.reuse();
  REQUIRE(nights.run().code == ExitCode::kRejected);
  CHECK(nights.results() == expected);
  const std::uint64_t reused = nights.report().at("counts").at("reuse").at("reused");
  CHECK(reused > 0);
  CHECK(reused < kReused);
}

TEST_CASE("a run that was begun with --reuse goes on with it as it was, or without", "[session]") {
  Nights nights;
  const std::vector<std::string> expected = nights.fresh();
  nights.reuse();
  nights.config.batch_size = 1;
  nights.stop_at_look = 3;
  REQUIRE(nights.run().interrupted);
  nights.stop_at_look.reset();
  SECTION("without") {
    nights.config.reuse.clear();
  }
  SECTION("as it was") {}
  SECTION("as it is no more") {
    std::filesystem::remove_all(nights.old);
    const std::string output = std::exchange(nights.config.output, nights.old);
    nights.config.reuse.clear();
    REQUIRE(nights.run().code == ExitCode::kRejected);
    nights.config.output = output;
    nights.reuse();
    const Error error = nights.failure();
    CHECK(error.code() == ExitCode::kMismatch);
    CHECK_THAT(error.what(), Catch::Contains("as that was then"));
    nights.config.reuse.clear();
  }
  REQUIRE(nights.run().code == ExitCode::kRejected);
  CHECK(nights.results() == expected);
}

TEST_CASE("a run that was begun without --reuse goes on without", "[session]") {
  Nights nights;
  const std::vector<std::string> expected = nights.fresh();
  nights.config.batch_size = 1;
  nights.stop_at_look = 6;
  REQUIRE(nights.run().interrupted);
  nights.stop_at_look.reset();
  nights.reuse();
  CHECK(nights.failure().code() == ExitCode::kMismatch);
  nights.config.reuse.clear();
  REQUIRE(nights.run().code == ExitCode::kRejected);
  CHECK(nights.results() == expected);
  // Finished, it is nothing to do either way.
  nights.reuse();
  CHECK(nights.run().code == ExitCode::kRejected);
}

TEST_CASE("bits of older rows that are numeric make those of the new output so", "[session]") {
  Nights nights({{"fake", true}, {"capacity_rows", 1}, {"part_tokens", 64}});
  REQUIRE(nlohmann::json::parse(std::ifstream(nights.old + "/run.json")).at("bits") == "numeric");
  nights.reuse();
  REQUIRE(nights.run().code == ExitCode::kRejected);
  CHECK(nights.report().at("bits") == "numeric");
  CHECK_THAT(nights.report().at("bits_reasons").dump(), Catch::Contains("rows of "));
}

TEST_CASE("the output itself, and what is no output, are refused", "[session]") {
  Nights nights;
  nights.config.reuse = {nights.directory + "/nothing"};
  CHECK(nights.failure().code() == ExitCode::kIo);
  std::filesystem::create_directories(nights.directory + "/nothing");
  CHECK(nights.failure().code() == ExitCode::kMismatch);
  nights.config.batch_size = 1;
  nights.stop_at_look = 6;
  nights.config.reuse.clear();
  REQUIRE(nights.run().interrupted);
  nights.stop_at_look.reset();
  nights.config.reuse = {nights.config.output};
  CHECK(nights.failure().code() == ExitCode::kUsage);
  // Before anything is deleted.
  const std::string journal = nights.content("journal.jsonl");
  nights.config.overwrite = true;
  CHECK(nights.failure().code() == ExitCode::kUsage);
  CHECK(nights.content("journal.jsonl") == journal);
}

TEST_CASE("reasons for low bits do not grow from night to night", "[session]") {
  Nights nights({{"fake", true}, {"capacity_rows", 1}, {"part_tokens", 64}});
  nights.config.output = nights.old;
  std::size_t second = 0;
  for (int night = 1; night <= 4; ++night) {
    nights.config.update = true;
    nights.records.pop_back();
    nights.run();
    const std::size_t reasons = nights.report().at("bits_reasons").dump().size();
    second = night == 2 ? reasons : second;
    CHECK((night <= 2 || reasons == second));
  }
}
