// A finished output directory of `longhaul embed` as a probe needs it: ids, what became of each
// record, vectors as float64, and which model and settings made it.
// One thread at a time. An unfinished, damaged or foreign directory is an Error(kBadData), one of a
// version that is not known Error(kMismatch).
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "domain/outcome.hpp"
#include "store/output_reader.hpp"
#include "store/row_sums.hpp"

namespace longhaul::score {

class RunDirectory {
 public:
  RunDirectory(Files& files, const std::string& path);

  const std::string& path() const { return output_.path(); }
  std::size_t rows() const { return ids_.size(); }
  std::size_t dimension() const { return vectors_.output().dimension; }
  const std::string& id(std::size_t row) const { return ids_[row]; }
  Status status(std::size_t row) const { return statuses_[row]; }

  const store::OutputReader& output() const { return output_; }
  // run.json as it is.
  const nlohmann::json& report() const { return report_; }
  // What a probe must share with the embeddings it is used on: model_sha256, card, pooling,
  // normalize, dtype, dimension. Fields that run.json lacks are absent.
  nlohmann::json origin() const;

  // One column of records.csv; nothing when there is none of that name.
  std::optional<std::vector<std::string>> column(std::string_view name) const;
  std::vector<std::string> columns() const;

  // The vectors of the given rows (ascending), row by row. One that does not match its checksum, or
  // is not finite though its record is `ok`, is an Error(kBadData).
  std::vector<double> vectors(std::span<const std::size_t> rows);

 private:
  void read_records();
  CsvReader table() const;

  Files& files_;
  store::OutputReader output_;
  nlohmann::json report_;
  std::vector<std::string> ids_;
  std::vector<Status> statuses_;
  store::ArrayReader vectors_;
  store::RowSums sums_;
};

}  // namespace longhaul::score
