// Every byte of the files that steer a resume, damaged in turn: refused or repaired, never a wrong
// row.
#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "fakes/fault_files.hpp"
#include "fakes/sanitized.hpp"
#include "store/store_driver.hpp"
#include "store/verify.hpp"

using namespace longhaul;
using namespace longhaul::store::test;
using namespace longhaul::store;
using namespace longhaul::fakes;

namespace {

struct Tally {
  std::uint64_t tried = 0;
  std::uint64_t refused = 0;
  std::uint64_t repaired = 0;
};

// Puts `damaged` in the place of file `name` of the run stopped at `at`, and gives its command.
void try_damage(std::uint64_t at, const std::string& name, const std::string& damaged,
                const std::map<std::string, std::string>& expected, Tally& tally) {
  FaultFiles files = stopped(at);
  files.set_content("out/" + name, damaged);
  const auto before = outputs(files);
  ++tally.tried;
  try {
    drive(files, "out", {});
  } catch (const Error& error) {
    const bool said = error.code() == ExitCode::kBadData || error.code() == ExitCode::kMismatch;
    REQUIRE(said);
    REQUIRE(outputs(files) == before);
    ++tally.refused;
    return;
  }
  REQUIRE(outputs(files) == expected);
  REQUIRE(verify_store(files, "out").good());
  ++tally.repaired;
}

constexpr std::uint64_t kMiddle = 60;

}  // namespace

TEST_CASE("each byte of the journal damaged in turn") {
  FaultFiles whole = stopped(kNever);
  const auto expected = outputs(whole);
  for (const std::uint64_t at : {std::uint64_t{5}, kMiddle, kNever}) {
    FaultFiles files = stopped(at);
    const std::string journal = files.content("out/journal.jsonl");
    Tally tally;
    for (std::size_t byte = 0; byte < journal.size(); byte += kSanitized ? 7 : 1) {
      for (const int change : {1, 0x80, journal[byte] ^ '\n', static_cast<int>(journal[byte])}) {
        if (change != 0) {
          INFO("stopped at " << at << ", byte " << byte << ", change " << change);
          std::string damaged = journal;
          damaged[byte] = static_cast<char>(damaged[byte] ^ change);
          try_damage(at, "journal.jsonl", damaged, expected, tally);
        }
      }
    }
    for (std::size_t size = 0; size < journal.size(); size += kSanitized ? 7 : 1) {
      INFO("stopped at " << at << ", cut to " << size);
      try_damage(at, "journal.jsonl", journal.substr(0, size), expected, tally);
    }
    CHECK(tally.refused > 0);
    CHECK(tally.refused + tally.repaired == tally.tried);
    WARN("journal of a run stopped at " << at << ": damaged " << tally.tried << " times, refused "
                                        << tally.refused << ", repaired " << tally.repaired);
  }
}

TEST_CASE("lines of the journal removed, repeated or swapped are noticed") {
  FaultFiles whole = stopped(kNever);
  const auto expected = outputs(whole);
  const std::string journal = whole.content("out/journal.jsonl");
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < journal.size();) {
    const std::size_t end = journal.find('\n', begin) + 1;
    lines.push_back(journal.substr(begin, end - begin));
    begin = end;
  }
  REQUIRE(lines.size() > 4);
  const auto joined = [](const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) {
      text += part;
    }
    return text;
  };
  Tally tally;
  for (std::size_t i = 0; i + 2 < lines.size(); ++i) {
    std::vector<std::string> removed = lines;
    removed.erase(removed.begin() + static_cast<std::ptrdiff_t>(i));
    std::vector<std::string> repeated = lines;
    repeated.insert(repeated.begin() + static_cast<std::ptrdiff_t>(i), lines[i]);
    std::vector<std::string> swapped = lines;
    std::swap(swapped[i], swapped[i + 1]);
    for (const auto& damaged : {removed, repeated, swapped}) {
      INFO("line " << i);
      try_damage(kNever, "journal.jsonl", joined(damaged), expected, tally);
    }
  }
  CHECK(tally.refused == tally.tried);
}

TEST_CASE("each byte of the headers and of run.json damaged in turn") {
  FaultFiles whole = stopped(kNever);
  const auto expected = outputs(whole);
  for (const std::string name : {"embeddings.npy", "checksums.npy", "run.json"}) {
    const std::string content = whole.content("out/" + name);
    Tally tally;
    for (std::size_t byte = 0; byte < std::min<std::size_t>(content.size(), 128); ++byte) {
      INFO(name << " byte " << byte);
      std::string damaged = content;
      damaged[byte] = static_cast<char>(damaged[byte] ^ 4);
      FaultFiles files = stopped(kNever);
      files.set_content("out/" + name, damaged);
      CHECK_FALSE(verify_store(files, "out").good());
      if (name != "run.json") {
        try_damage(kNever, name, damaged, expected, tally);
      }
    }
    CHECK(tally.refused == tally.tried);
  }
  // Until the run is complete the headers are not there, and are written at its end.
  for (const std::string name : {"embeddings.npy.partial", "checksums.npy"}) {
    FaultFiles files = stopped(kMiddle);
    const std::string content = files.content("out/" + name);
    Tally tally;
    for (std::size_t byte = 0; byte < 128; ++byte) {
      std::string damaged = content;
      damaged[byte] = 'x';
      try_damage(kMiddle, name, damaged, expected, tally);
    }
    CHECK(tally.repaired == 128);
  }
}
