#include "store/verify.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <span>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "store/float16.hpp"
#include "store/merged_output.hpp"
#include "store/npy.hpp"
#include "store/output_reader.hpp"
#include "store/row_check.hpp"
#include "store/table_check.hpp"
#include "store/text_file_verifier.hpp"

namespace longhaul::store {
namespace {

constexpr std::size_t kShownFindings = 100;

class Verifier {
 public:
  Verifier(Files& files, const std::string& path, const VerifySettings& settings)
      : files_(files), path_(path), settings_(settings), random_(settings.seed) {}

  Verification run() {
    if (files_.kind(path_) != PathKind::kDirectory) {
      throw Error(ExitCode::kIo, printable(path_, 400) + " is not a directory",
                  "name the --output of a longhaul embed run");
    }
    if (files_.locked(in(store_files::kLock))) {
      throw Error(ExitCode::kUnavailable,
                  "a run is writing to " + printable(path_, 400) + ": " +
                      printable(read_text(files_, in(store_files::kLock)), 400),
                  "verify when it has ended");
    }
    try {
      look(OutputReader(files_, path_));
    } catch (const Error& error) {
      if (error.code() != ExitCode::kBadData) {
        throw;
      }
      result_.add(path_, error.what());
    }
    return std::move(result_);
  }

 private:
  std::string in(const std::string& name) const { return path_in(path_, name); }

  void look(const OutputReader& output) {
    if (!output.claims()) {
      result_.add(path_, "holds no run");
      return;
    }
    const std::string journal_path = in(store_files::kJournal);
    const JournalState& journal = *output.claims();
    result_.finished = journal.run.finish.has_value();
    if (journal.run.progress) {
      result_.committed = journal.run.progress->window_start + journal.run.progress->position;
    }
    if (journal.run.merging) {
      result_.add(journal_path,
                  "says that a retry of rejected rows is being merged: give its command again");
      return;
    }
    if (const auto shards = merged_shards(journal.run); shards && !result_.finished) {
      result_.add(journal_path, "says that " + std::to_string(*shards) +
                                    " shards are being merged, and " +
                                    std::to_string(merge_claims(journal.run).size()) +
                                    " of them are copied: finish that with longhaul merge");
      return;
    }
    verify_tables(files_, output, result_);
    if (!result_.finished) {
      result_.add(journal_path, "says that the run is not finished (" +
                                    std::to_string(result_.committed) +
                                    " records are committed): give its command again");
    } else if (journal.end.torn) {
      result_.add(journal_path, "holds something after its last line");
    }
    if (present(output)) {
      check_rows(output);
    }
    check_report(journal);
  }

  bool present(const OutputReader& output) {
    if (!output.claims()->run.progress) {
      return false;
    }
    std::vector<std::string> paths;
    for (const OutputSpec& array : output.layout().outputs) {
      paths.push_back(output.array_path(array));
      if (array.kind == ArrayKind::kTokens) {
        paths.push_back(in(offsets_file(array)));
      }
    }
    paths.insert(paths.end(), {in(store_files::kChecksums), in(store_files::kRecords),
                               in(store_files::kRejects)});
    bool all = true;
    for (const std::string& path : paths) {
      if (!files_.exists(path)) {
        result_.add(path, "is missing");
        all = false;
      }
    }
    for (const OutputSpec& array : output.layout().outputs) {
      if (result_.finished && output.has(partial_file(array))) {
        result_.add(in(partial_file(array)), "is there beside the finished file");
      }
    }
    return all;
  }

  void check_rows(const OutputReader& output) {
    if (result_.finished) {
      check_headers(output);
    }
    RowCheck rows(output, settings_.empty_duplicates, result_);
    TableCheck tables(output, result_);
    RecordRow record;
    while (tables.next(record)) {
      count(record);
      rows.check(record);
    }
    if (result_.rows != output.rows()) {
      result_.add(in(store_files::kRecords), "holds " + std::to_string(result_.rows) +
                                                 " records; the journal claims " +
                                                 std::to_string(output.rows()));
    }
    recompute(output);
  }

  void check_headers(const OutputReader& output) {
    const std::uint64_t rows = output.claims()->run.finish->at("rows");
    for (const OutputSpec& array : output.layout().outputs) {
      std::uint64_t vectors = rows;
      if (array.kind == ArrayKind::kTokens) {
        vectors = output.array(array).first_vector(rows);
        check_npy(in(offsets_file(array)), offsets_header(rows), (rows + 1) * sizeof(std::int64_t));
      }
      check_npy(output.array_path(array), array_header(array, vectors),
                vectors * vector_bytes(array));
    }
    check_npy(in(store_files::kChecksums), checksums_header(rows), rows * sizeof(std::uint64_t));
  }

  void check_npy(const std::string& path, const std::string& header, std::uint64_t bytes) {
    const auto file = files_.open(path, OpenMode::kRead);
    if (!has_header(*file, header)) {
      result_.add(path + " bytes 0 to 128", "is not the header of what the journal claims");
    }
    if (file->size() != header.size() + bytes) {
      result_.add(path, "has " + std::to_string(file->size()) + " bytes; the journal claims " +
                            std::to_string(header.size() + bytes));
    }
  }

  void count(const RecordRow& line) {
    ++result_.rows;
    result_.rejected += line.status == Status::kRejected ? 1 : 0;
    result_.duplicates += line.status == Status::kDuplicate ? 1 : 0;
    if (line.status != Status::kOk) {
      return;
    }
    ++result_.ok;
    // Reservoir sampling: every ok row is as likely as any other.
    if (chosen_.size() < settings_.recompute_rows) {
      chosen_.push_back(line.row);
    } else if (!chosen_.empty()) {
      const std::uint64_t at = random_() % result_.ok;
      if (at < chosen_.size()) {
        chosen_[at] = line.row;
      }
    }
  }

  void recompute(const OutputReader& output) {
    if (!settings_.recompute || chosen_.empty()) {
      return;
    }
    std::sort(chosen_.begin(), chosen_.end());
    const std::optional<RecomputedRows> recomputed = settings_.recompute(chosen_);
    if (!recomputed) {
      return;
    }
    result_.tolerance = recomputed->tolerance;
    const std::vector<OutputSpec>& outputs = output.layout().outputs;
    std::vector<ArrayReader> arrays = output.arrays();
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      const std::vector<std::vector<float>>& again = recomputed->rows.at(i);
      bool equal = true;
      for (std::size_t k = 0; k < arrays.size(); ++k) {
        const double found =
            difference(arrays[k].row(chosen_[i]), outputs[k].dtype,
                       again.empty() ? std::span<const float>() : std::span(again.at(k)));
        equal = equal && found == 0;
        result_.greatest_difference = std::max(result_.greatest_difference, found);
        if (found > recomputed->tolerance) {
          result_.add(arrays[k].where(chosen_[i]),
                      "differs from a new computation by " + short_number(found));
        }
      }
      ++result_.recomputed;
      result_.recomputed_equal += equal ? 1 : 0;
    }
  }

  // Greatest of a component, in proportion to the stored values where these exceed 1.
  static double difference(std::span<const float> stored, OutputDtype dtype,
                           std::span<const float> again) {
    constexpr double kNoNumbers = std::numeric_limits<double>::infinity();
    if (again.size() != stored.size()) {
      return kNoNumbers;
    }
    double greatest = 0;
    double scale = 1;
    for (std::size_t j = 0; j < stored.size(); ++j) {
      const float value = dtype == OutputDtype::kFp16 ? from_half(to_half(again[j])) : again[j];
      const double difference = std::abs(double{value} - double{stored[j]});
      if (!std::isfinite(difference)) {
        return kNoNumbers;
      }
      greatest = std::max(greatest, difference);
      scale = std::max(scale, std::abs(double{stored[j]}));
    }
    return greatest / scale;
  }

  void check_report(const JournalState& journal) {
    const std::string path = in(store_files::kReport);
    if (!result_.finished) {
      return;
    }
    if (!files_.exists(path)) {
      result_.add(path, "is missing");
    } else if (!report_is_claimed(files_, path_, journal.run)) {
      result_.add(path, "is not what the run wrote when it finished");
    }
  }

  Files& files_;
  std::string path_;
  const VerifySettings& settings_;
  std::mt19937_64 random_;
  Verification result_;
  std::vector<std::uint64_t> chosen_;
};

}  // namespace

void Verification::add(std::string where, std::string what) {
  ++finding_count;
  if (findings.size() < kShownFindings) {
    findings.push_back({std::move(where), std::move(what)});
  }
}

Verification verify_store(Files& files, const std::string& path, const VerifySettings& settings) {
  return Verifier(files, path, settings).run();
}

}  // namespace longhaul::store
