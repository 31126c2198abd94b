// The EmbeddingStore over an open directory. One thread, the writer's; see embedding_store.hpp.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "store/embedding_store.hpp"
#include "store/journal.hpp"
#include "store/journal_state.hpp"
#include "store/open_rows.hpp"
#include "store/row_arrays.hpp"
#include "store/stamp_file.hpp"
#include "store/text_file.hpp"

namespace longhaul::store {

class JournaledStore : public EmbeddingStore {
 public:
  // The files are cut to `claims`, which the journal's last commit made; `completed` records of
  // theirs are in complete windows.
  JournaledStore(Files& files, std::string directory, const StoreLayout& layout, Journal journal,
                 const FileClaims& claims, std::uint64_t completed);

  const StoreLayout& layout() const override { return layout_; }
  void place_window(std::uint64_t first_row, std::span<const std::uint32_t> residues) override;
  bool put(std::uint64_t row, std::span<const std::span<const float>> values) override;
  void put_nan(std::uint64_t row) override;
  std::vector<std::vector<float>> get(std::uint64_t row) override;
  void complete_window(std::span<const RecordRow> rows) override;
  void commit(const Progress& progress) override;
  void drop_window(const Progress& progress) override;
  void note(const nlohmann::json& line) override;
  void finish(std::uint64_t rows, const nlohmann::ordered_json& run_report,
              const nlohmann::json& line) override;
  void write_report(const nlohmann::ordered_json& run_report) override;

 private:
  template <typename Action>
  auto guarded(Action action);
  void require_own() const;
  std::string path(const std::string& name) const { return path_in(directory_, name); }
  std::unique_ptr<File> create(const std::string& name);
  void complete(const RecordRow& row);
  void require_open_window(std::uint64_t row) const;

  Files& files_;
  std::string directory_;
  const StoreLayout layout_;
  Journal journal_;
  RowArrays rows_;
  TextFile records_;
  TextFile rejects_;
  std::optional<StampFile> stamps_;  // once there is a row that has one
  OpenRows open_;
  std::uint64_t committed_;  // rows that the journal claims to be in complete windows
  bool finished_ = false;
  std::optional<Error> failure_;  // why the store takes nothing more
};

}  // namespace longhaul::store
