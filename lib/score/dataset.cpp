#include "score/dataset.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::score {
namespace {

constexpr std::size_t kNamesShown = 5;

std::string first_names(const std::vector<std::size_t>& rows, const RunDirectory& run) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(rows.size(), kNamesShown); ++i) {
    names.push_back(printable(run.id(rows[i])));
  }
  return join(names, ", ") + (rows.size() > kNamesShown ? ", ..." : "");
}

}  // namespace

nlohmann::json to_json(const UnusedRows& left_out, const RunDirectory& run) {
  const auto names = [&](const std::vector<std::size_t>& rows) {
    nlohmann::json list = nlohmann::json::array();
    for (const std::size_t row : rows) {
      list.push_back(printable(run.id(row), 1000));
    }
    return list;
  };
  return {{"rejected", names(left_out.rejected)},
          {"duplicates", names(left_out.duplicates)},
          {"unlabelled", names(left_out.unlabelled)}};
}

std::string describe(const UnusedRows& left_out, const RunDirectory& run) {
  std::vector<std::string> parts;
  const auto add = [&](const std::vector<std::size_t>& rows, const std::string& what) {
    if (!rows.empty()) {
      parts.push_back(format_count(rows.size()) + " " + what + " (" + first_names(rows, run) + ")");
    }
  };
  add(left_out.rejected, "rejected");
  add(left_out.duplicates, "duplicate");
  add(left_out.unlabelled, "without a label");
  return join(parts, ", ");
}

std::vector<std::size_t> rows_with_vectors(const RunDirectory& run, UnusedRows& left_out) {
  std::vector<std::size_t> rows;
  for (std::size_t row = 0; row < run.rows(); ++row) {
    switch (run.status(row)) {
      case Status::kOk:
        rows.push_back(row);
        break;
      case Status::kRejected:
        left_out.rejected.push_back(row);
        break;
      case Status::kDuplicate:
        left_out.duplicates.push_back(row);
        break;
    }
  }
  return rows;
}

Dataset load_dataset(RunDirectory& run, const Labels& labels, Unlabelled unlabelled) {
  Dataset data;
  for (const std::size_t row : rows_with_vectors(run, data.left_out)) {
    if (labels.of_row[row]) {
      data.rows.push_back(row);
      data.labels.push_back(*labels.of_row[row]);
    } else {
      data.left_out.unlabelled.push_back(row);
    }
  }
  if (!data.left_out.unlabelled.empty() && unlabelled == Unlabelled::kRefuse) {
    throw Error(ExitCode::kBadData,
                format_count(data.left_out.unlabelled.size()) + " of " + format_count(run.rows()) +
                    " records have no label (" + labels.from +
                    "): " + first_names(data.left_out.unlabelled, run),
                "label them, or leave them out with --skip-unlabelled");
  }
  if (data.rows.empty()) {
    throw Error(ExitCode::kBadData, run.path() + " has no record with both a vector and a label");
  }
  data.labels_from = labels.from;
  data.dimension = run.dimension();
  data.vectors = run.vectors(data.rows);
  return data;
}

}  // namespace longhaul::score
