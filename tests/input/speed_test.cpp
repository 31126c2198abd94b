// Reading speed, run by hand: test_input "[.bench]". Prints records per second of one core, from a
// file in the page cache to a constructed Record; and through a SelectedReader, digest included.
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <functional>

#include "input/selected_reader.hpp"
#include "input_helpers.hpp"

using namespace longhaul;
using namespace longhaul::input;
using namespace longhaul::input::test;

namespace {

constexpr std::size_t kRecords = 1'000'000;

std::string residues(std::size_t record) {
  std::string text;
  for (std::size_t k = 0; k < 125 + record % 11; ++k) {
    text += "ACDEFGHIKLMNPQRSTVWY"[(record * 31 + k * k * 7 + k) % 20];
  }
  return text;
}

double peak_mib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void measure(const std::string& path, bool digested) {
  InputSettings settings;
  settings.inputs = {path};
  double best = 1e9;
  for (int round = 0; round < 3; ++round) {
    const auto start = std::chrono::steady_clock::now();
    std::unique_ptr<RecordReader> reader = open_input(settings);
    if (digested) {  // as a run reads
      reader = std::make_unique<SelectedReader>(std::move(reader), std::make_unique<AllRecords>());
    }
    std::size_t records = 0;
    while (const auto record = reader->next()) {
      records += record->defect ? 0U : 1U;
    }
    REQUIRE(records == kRecords);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  std::printf("%-22s %s %9.0f records/s, peak %.0f MiB\n",
              std::filesystem::path(path).filename().c_str(), digested ? "digest" : "      ",
              static_cast<double>(kRecords) / best, peak_mib());
}

}  // namespace

TEST_CASE("reading speed", "[.bench]") {
  const TemporaryFolder folder;
  const auto write = [&](const std::string& name, const std::string& header,
                         const std::function<std::string(std::size_t)>& line) {
    std::ofstream out(folder.path(name), std::ios::binary);
    out << header;
    for (std::size_t i = 0; i < kRecords; ++i) {
      out << line(i);
    }
    out.close();
    measure(folder.path(name), false);
    measure(folder.path(name), true);
    std::filesystem::remove(folder.path(name));
  };
  const auto id = [](std::size_t i) { return "nanobody_" + std::to_string(i); };
  write("plain.csv", "id,sequence,label\n",
        [&](std::size_t i) { return id(i) + "," + residues(i) + ",0.0\n"; });
  write("quoted.csv", "id,sequence,label\n",
        [&](std::size_t i) { return "\"" + id(i) + "\",\"" + residues(i) + "\",\"0.0\"\n"; });
  write("wrapped.fasta", "", [&](std::size_t i) {
    const std::string text = residues(i);
    return ">" + id(i) + " x\n" + text.substr(0, 60) + "\n" + text.substr(60, 60) + "\n" +
           text.substr(120) + "\n";
  });
  write("lines.jsonl", "", [&](std::size_t i) {
    return "{\"id\": \"" + id(i) + "\", \"sequence\": \"" + residues(i) + "\", \"label\": 0.0}\n";
  });
}
