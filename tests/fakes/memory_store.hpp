// A store that keeps the first output of what it is given in memory, and checks that each row is
// written once.
#pragma once

#include <map>
#include <set>
#include <stdexcept>
#include <vector>

#include "store/embedding_store.hpp"

namespace longhaul::fakes {

class MemoryStore : public store::EmbeddingStore {
 public:
  const store::StoreLayout& layout() const override { return only_vectors; }
  void place_window(std::uint64_t, std::span<const std::uint32_t>) override {}
  bool put(std::uint64_t row, std::span<const std::span<const float>> values) override {
    const std::span<const float> vector = values.front();
    if (!vectors.emplace(row, std::vector<float>(vector.begin(), vector.end())).second) {
      throw std::logic_error("row " + std::to_string(row) + " was written twice");
    }
    return true;
  }
  void put_nan(std::uint64_t row) override { vectors[row]; }
  std::vector<std::vector<float>> get(std::uint64_t row) override { return {vectors.at(row)}; }
  void complete_window(std::span<const RecordRow> rows) override {
    records.insert(records.end(), rows.begin(), rows.end());
  }
  void commit(const store::Progress& progress) override { commits.push_back(progress); }
  void drop_window(const store::Progress&) override {}
  void note(const nlohmann::json&) override {}
  void finish(std::uint64_t, const nlohmann::ordered_json&, const nlohmann::json&) override {}
  void write_report(const nlohmann::ordered_json&) override {}

  store::StoreLayout only_vectors = store::single_vector(8);
  std::map<std::uint64_t, std::vector<float>> vectors;
  std::vector<RecordRow> records;
  std::vector<store::Progress> commits;
};

}  // namespace longhaul::fakes
