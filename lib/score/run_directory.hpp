// A finished output directory of `longhaul embed`, read back: vectors, ids, what became of each
// record, and which model and settings made it.
// One thread at a time. An unfinished, damaged or foreign directory is an Error(kBadData),
// one of a version that is not known Error(kMismatch).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "domain/outcome.hpp"
#include "score/npy.hpp"

namespace longhaul::score {

class RunDirectory {
 public:
  RunDirectory(Files& files, const std::string& path);

  const std::string& path() const { return path_; }
  std::size_t rows() const { return ids_.size(); }
  std::size_t dimension() const { return dimension_; }
  const std::string& id(std::size_t row) const { return ids_[row]; }
  Status status(std::size_t row) const { return statuses_[row]; }

  // run.json as it is.
  const nlohmann::json& report() const { return report_; }
  // What a probe must share with the embeddings it is used on: model_sha256, card, pooling,
  // normalize, dtype, dimension. Fields that run.json lacks are absent.
  nlohmann::json origin() const;

  // One column of records.csv; nothing when there is none of that name.
  std::optional<std::vector<std::string>> column(std::string_view name) const;
  std::vector<std::string> columns() const;

  // The vectors of the given rows (ascending), row by row. One that is not finite though its record
  // is `ok` is an Error(kBadData).
  std::vector<double> vectors(std::span<const std::size_t> rows);

 private:
  void read_records();
  void open_embeddings(Files& files);

  std::string path_;
  nlohmann::json report_;
  std::vector<std::string> ids_;
  std::vector<Status> statuses_;
  std::unique_ptr<File> embeddings_;
  NpyHeader header_;
  std::size_t dimension_ = 0;
};

}  // namespace longhaul::score
