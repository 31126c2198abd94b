// Where the labels of a probe come from.
#include "base/error.hpp"
#include "base/text.hpp"
#include "probe_options.hpp"

namespace longhaul::app {

Labels find_labels(Files&, const RunDirectory& run, const LabelOptions& options) {
  if (!options.file.empty()) {
    return labels_from_file(run, {options.file, options.id_column, options.column});
  }
  if (std::optional<Labels> kept = labels_from_records(run, options.column)) {
    return *std::move(kept);
  }
  throw Error(ExitCode::kBadData,
              "no labels: " + run.path() + "/records.csv has no column '" + options.column +
                  "'; it has " + join(run.columns(), ", "),
              "embed with --keep-column " + options.column + ", or give --labels FILE");
}

}  // namespace longhaul::app
