// The pipeline over a device and an encoder whose every number is known, and what it must write:
// what an undisturbed run writes, bit for bit.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "fakes/fake_encoder.hpp"
#include "fakes/memory_store.hpp"
#include "fakes/recording_log.hpp"
#include "fakes/vector_reader.hpp"
#include "prepare/sequence_preprocessor.hpp"
#include "run/pipeline.hpp"

namespace longhaul::run::test {

using namespace longhaul::fakes;

constexpr std::uint32_t kWindow = 64;

struct Result {
  RunReport report;
  std::map<std::uint64_t, std::vector<float>> vectors;
  std::vector<RecordRow> records;
  std::uint64_t calls = 0;
  std::uint64_t failures = 0;
  std::uint64_t releases = 0;
  nlohmann::json governor;
  device::LeakVerdict leak{};
  std::vector<std::string> warnings;
  std::vector<std::vector<float>> expected;  // by row
};

struct Scene {
  FakeEncoderSettings encoder;
  PipelineSettings pipeline;
  plan::GovernorSettings governor{
      .start_budget = 4000, .host_limit_bytes = std::nullopt, .device_limit_bytes = std::nullopt};
  std::vector<Record> records = generated_records(300, 120);
  LeakAction on_leak = LeakAction::kContinue;
  bool read_memory = false;
};

// What a row must be: a function of the record alone.
inline std::vector<float> expected_vector(const FakeEncoder& encoder,
                                          const prepare::Prepared& prepared,
                                          const encode::EncoderCard& card) {
  const std::vector<std::int64_t> tokens(prepared.token_ids.begin(), prepared.token_ids.end());
  const std::uint32_t width = plan::rung_of(prepared.tokens, card.max_tokens);
  const auto in_rows = [&](std::uint32_t rows) { return encoder.vector_of(tokens, width, rows); };
  const std::vector<float> vector = in_rows(encoder.rows_policy().rows(width));
  const bool finite =
      std::all_of(vector.begin(), vector.end(), [](float x) { return std::isfinite(x); });
  return finite ? vector : in_rows(1);  // what is not finite is computed again by itself
}

inline Result play(Scene scene) {
  const encode::EncoderCard card = encode::parse_card(fake_card_text({{"fake", true}}), "fake");
  const prepare::SequencePreprocessor preprocessor(card.alphabet, {});
  FakeEncoder encoder(scene.encoder);
  VectorReader reader(scene.records);
  MemoryStore store;
  plan::MemoryGovernor governor(scene.governor);
  device::LeakMonitor leaks;
  RecordingLog log;
  device::MemoryReader memory(log, "/nowhere");  // the device's counters alone
  std::chrono::steady_clock::time_point now{};
  scene.pipeline.window.records = kWindow;
  scene.pipeline.parts = encoder.rows_policy();
  PipelineHooks hooks;
  // The encoder's thread takes 30 ms between two looks at the clock: each batch gets its reading.
  std::mutex clock;
  hooks.now = [&, encoding = std::this_thread::get_id()] {
    const std::lock_guard lock(clock);
    if (std::this_thread::get_id() == encoding) {
      now += std::chrono::milliseconds(30);
    }
    return now;
  };
  if (scene.read_memory) {
    hooks.read_memory = [&] { return memory.read(encoder.device()); };
  }
  hooks.leak_suspected = [&](const std::string&) { return scene.on_leak; };

  Result result;
  result.report = run_pipeline({reader, preprocessor, encoder, store, governor, leaks, log},
                               scene.pipeline, hooks, std::nullopt);
  result.vectors = store.vectors;
  result.records = store.records;
  result.calls = encoder.device().calls();
  result.failures = encoder.device().failures();
  result.releases = encoder.device().releases();
  result.governor = governor.report();
  result.leak = leaks.verdict();
  result.warnings = log.warnings();
  for (const Record& record : scene.records) {
    result.expected.push_back(expected_vector(encoder, preprocessor.measure(record), card));
  }
  return result;
}

// Every record stands at its place; whoever is "ok" has exactly its vector, others have none.
inline void require_right(const Result& result, const std::set<std::uint64_t>& rejected = {},
                          Reason reason = Reason::kOutOfMemory) {
  REQUIRE(result.records.size() == result.expected.size());
  for (std::uint64_t row = 0; row < result.records.size(); ++row) {
    INFO("row " << row);
    const RecordRow& record = result.records[row];
    REQUIRE(record.row == row);
    REQUIRE(record.id == "r" + std::to_string(row));
    if (rejected.contains(row)) {
      REQUIRE(record.status == Status::kRejected);
      REQUIRE(record.defect);
      REQUIRE(record.defect->reason == reason);
      REQUIRE_FALSE(result.vectors.contains(row));
    } else {
      REQUIRE(record.status == Status::kOk);
      REQUIRE(result.vectors.contains(row));
      REQUIRE(result.vectors.at(row) == result.expected[row]);
    }
  }
}

// Records of one length, so that every batch is full but the last of each window.
inline std::vector<Record> even_records(std::uint64_t count) {
  std::vector<Record> records = generated_records(count, 1);
  for (std::uint64_t i = 0; i < count; ++i) {
    records[i].payload.clear();
    for (std::uint64_t j = 0; j < 40; ++j) {
      records[i].payload += "ACDEFGHIKL"[(i * 31 + j * j * (i + 3)) % 10];
    }
  }
  return records;
}

}  // namespace longhaul::run::test
