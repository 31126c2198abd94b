#include "score/output_diff.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "store/row_sums.hpp"

namespace longhaul::score {
namespace {

using store::ArrayReader;
using store::OutputReader;

std::vector<std::string> names_of(const OutputReader& output) {
  std::vector<std::string> names;
  for (const OutputSpec& spec : output.layout().outputs) {
    names.push_back(spec.name);
  }
  return names;
}

const OutputSpec* find(const OutputReader& output, const std::string& name) {
  const auto& all = output.layout().outputs;
  const auto found = std::ranges::find(all, name, &OutputSpec::name);
  return found == all.end() ? nullptr : &*found;
}

void require_asked(const OutputReader& output, const std::vector<std::string>& asked) {
  for (const std::string& name : asked) {
    if (find(output, name) == nullptr) {
      throw Error(ExitCode::kUsage,
                  printable(output.path(), 400) + " has no array '" + printable(name) + "'",
                  "it has " + join(names_of(output), ", "));
    }
  }
}

std::string shape_of(const OutputSpec& spec) {
  return spec.name + ": " + (spec.kind == ArrayKind::kTokens ? "residues of " : "vectors of ") +
         format_count(spec.dimension) + " numbers";
}

class Comparison {
 public:
  Comparison(const OutputReader& a, const OutputReader& b, const DiffSettings& settings)
      : a_(a), b_(b), settings_(settings), diff_{.rows = JoinedRows(a, b)} {}

  OutputDiff run() {
    if (diff_.rows.records() == 0 && a_.rows() + b_.rows() > 0) {
      throw Error(ExitCode::kBadData,
                  printable(a_.path(), 400) + " and " + printable(b_.path(), 400) +
                      " have no record in common",
                  "compare outputs of the same records, with the same ids");
    }
    pair_arrays();
    first_look();
    second_look();
    for (std::unique_ptr<ArrayComparison>& comparison : arrays_) {
      diff_.arrays.push_back(comparison->finish());
    }
    name_rows();
    return std::move(diff_);
  }

 private:
  void pair_arrays() {
    require_asked(a_, settings_.arrays);
    require_asked(b_, settings_.arrays);
    const auto asked = [&](const std::string& name) {
      return settings_.arrays.empty() ||
             std::ranges::find(settings_.arrays, name) != settings_.arrays.end();
    };
    std::string shapes;
    for (const OutputSpec& spec : a_.layout().outputs) {
      const OutputSpec* const other = find(b_, spec.name);
      if (!asked(spec.name)) {
        continue;
      }
      if (other == nullptr) {
        diff_.only_a.push_back(spec.name);
      } else if (other->kind != spec.kind || other->dimension != spec.dimension) {
        diff_.other_shape.push_back(spec.name);
        shapes =
            shape_of(spec) + " in A, " + shape_of(*other).substr(spec.name.size() + 2) + " in B";
      } else {
        arrays_.push_back(
            std::make_unique<ArrayComparison>(array(a_, spec), array(b_, *other), settings_));
      }
    }
    for (const OutputSpec& spec : b_.layout().outputs) {
      if (asked(spec.name) && find(a_, spec.name) == nullptr) {
        diff_.only_b.push_back(spec.name);
      }
    }
    if (arrays_.empty()) {
      throw Error(
          ExitCode::kBadData,
          printable(a_.path(), 400) + " and " + printable(b_.path(), 400) +
              " cannot be compared: " + (shapes.empty() ? "they have no array in common" : shapes),
          "compare outputs of models with the same dimension");
    }
  }

  static ArrayReader array(const OutputReader& output, const OutputSpec& spec) {
    ArrayReader reader = output.array(spec);
    if (output.finished() && output.claims()) {
      reader.require_header(output.rows());
    }
    return reader;
  }

  void first_look() {
    store::RowSums sums_a(a_);
    store::RowSums sums_b(b_);
    for (std::uint64_t place = 0; place < diff_.rows.places(); ++place) {
      if (!diff_.rows.usable(place)) {
        continue;
      }
      const JoinedRows::Pair pair = diff_.rows.pair(place);
      const bool good_a = !sums_a.fault(pair.a);
      const bool good_b = !sums_b.fault(pair.b);
      if (!good_a || !good_b) {
        good_a ? void() : diff_.damaged_a.add(pair.a);
        good_b ? void() : diff_.damaged_b.add(pair.b);
        diff_.rows.leave_out(place);
        continue;
      }
      for (const auto& comparison : arrays_) {
        comparison->compare(pair.a, pair.b);
      }
    }
  }

  void second_look() {
    for (const auto& comparison : arrays_) {
      if (!comparison->needs_second_look()) {
        continue;
      }
      comparison->begin_second_look();
      for (std::uint64_t place = 0; place < diff_.rows.places(); ++place) {
        if (diff_.rows.usable(place)) {
          const JoinedRows::Pair pair = diff_.rows.pair(place);
          comparison->look_again(pair.a, pair.b);
        }
      }
    }
  }

  void name_rows() {
    std::vector<std::uint64_t> of_a;
    std::vector<std::uint64_t> of_b;
    for (const ArrayDiff& array : diff_.arrays) {
      for (const WorstPair& pair : array.worst) {
        of_a.push_back(pair.row_a);
      }
    }
    for (const auto& example : diff_.damaged_a.first) {
      of_a.push_back(example.row);
    }
    for (const auto& example : diff_.damaged_b.first) {
      of_b.push_back(example.row);
    }
    const auto names_a = ids(a_, of_a);
    const auto names_b = ids(b_, of_b);
    for (ArrayDiff& array : diff_.arrays) {
      for (WorstPair& pair : array.worst) {
        pair.id = names_a.at(pair.row_a);
      }
    }
    for (auto& example : diff_.damaged_a.first) {
      example.id = names_a.at(example.row);
    }
    for (auto& example : diff_.damaged_b.first) {
      example.id = names_b.at(example.row);
    }
  }

  static std::map<std::uint64_t, std::string> ids(const OutputReader& output,
                                                  std::vector<std::uint64_t>& rows) {
    std::ranges::sort(rows);
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    return ids_of(output, rows);
  }

  const OutputReader& a_;
  const OutputReader& b_;
  const DiffSettings& settings_;
  OutputDiff diff_;
  std::vector<std::unique_ptr<ArrayComparison>> arrays_;
};

}  // namespace

bool OutputDiff::equal() const {
  return rows.only_a().count + rows.only_b().count + rows.other_content().count == 0 &&
         rows.status_changes().empty() && only_a.empty() && only_b.empty() && other_shape.empty() &&
         !damaged() && std::ranges::all_of(arrays, &ArrayDiff::equal);
}

OutputDiff compare_outputs(const OutputReader& a, const OutputReader& b,
                           const DiffSettings& settings) {
  return Comparison(a, b, settings).run();
}

}  // namespace longhaul::score
