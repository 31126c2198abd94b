#include "store/verify.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <random>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "store/float16.hpp"
#include "store/journal_state.hpp"
#include "store/npy.hpp"
#include "store/record_csv.hpp"
#include "store/row_file.hpp"
#include "store/segment_check.hpp"

namespace longhaul::store {
namespace {

constexpr std::size_t kShownFindings = 100;

struct RecordLine {
  std::uint64_t row = 0;
  std::string id;
  Status status = Status::kOk;
  std::optional<std::uint64_t> duplicate_of;
};

std::optional<Status> status_from(std::string_view text) {
  for (const Status status : {Status::kOk, Status::kRejected, Status::kDuplicate}) {
    if (to_string(status) == text) {
      return status;
    }
  }
  return std::nullopt;
}

// records.csv and rejects.csv read side by side.
class RecordWalk {
 public:
  RecordWalk(Files& files, const std::string& directory, const JournalState& journal,
             Verification& result)
      : records_path_(path_in(directory, store_files::kRecords)),
        rejects_path_(path_in(directory, store_files::kRejects)),
        records_file_(files.open(records_path_, OpenMode::kRead)),
        rejects_file_(files.open(rejects_path_, OpenMode::kRead)),
        records_(*records_file_, records_path_, journal.claims.records_bytes),
        rejects_(*rejects_file_, rejects_path_, journal.claims.rejects_bytes),
        columns_(record_columns(journal.run.layout)),
        duplicate_of_(static_cast<std::size_t>(
            std::find(columns_.begin(), columns_.end(), "duplicate_of") - columns_.begin())),
        result_(result) {
    if (records_.next() != columns_) {
      result_.add(records_path_ + " line 1", "is not the header of these records");
    }
    rejects_.next();
  }

  std::optional<RecordLine> next() {
    const std::optional<std::vector<std::string>> fields = records_.next();
    if (!fields) {
      if (const auto extra = rejects_.next()) {
        result_.add(rejects_where(), "names row " + printable(extra->front()) +
                                         ", which records.csv does not hold as rejected");
      }
      return std::nullopt;
    }
    RecordLine line = parse(*fields);
    if (line.row != expected_) {
      result_.add(records_where(), "holds row " + std::to_string(line.row) + " where row " +
                                       std::to_string(expected_) + " belongs");
    }
    expected_ = line.row + 1;
    if (line.status == Status::kRejected) {
      match_reject(line);
    }
    return line;
  }

 private:
  std::string records_where() const {
    return records_path_ + " line " + std::to_string(records_.line());
  }
  std::string rejects_where() const {
    return rejects_path_ + " line " + std::to_string(rejects_.line());
  }

  RecordLine parse(const std::vector<std::string>& fields) {
    RecordLine line;
    line.row = expected_;
    if (fields.size() != columns_.size()) {
      result_.add(records_where(), "has " + std::to_string(fields.size()) + " fields, not " +
                                       std::to_string(columns_.size()));
      return line;
    }
    const std::optional<std::uint64_t> row = parse_count(fields[0]);
    const std::optional<Status> status = status_from(fields[3]);
    if (!row || !status) {
      result_.add(records_where(), "has no valid row or status");
      return line;
    }
    line = {*row, fields[1], *status, parse_count(fields[duplicate_of_])};
    if ((line.status == Status::kDuplicate) != line.duplicate_of.has_value() ||
        line.duplicate_of.value_or(0) >= std::max<std::uint64_t>(line.row, 1)) {
      result_.add(records_where(), "has duplicate_of '" + printable(fields[duplicate_of_]) +
                                       "' beside the status " + fields[3]);
      line.duplicate_of.reset();
    }
    return line;
  }

  void match_reject(const RecordLine& line) {
    const std::optional<std::vector<std::string>> fields = rejects_.next();
    if (!fields) {
      result_.add(rejects_path_,
                  "lacks row " + std::to_string(line.row) + ", which records.csv says is rejected");
    } else if (fields->size() != 6 || parse_count(fields->at(0)) != line.row ||
               fields->at(1) != line.id || !reason_from_string(fields->at(4))) {
      result_.add(rejects_where(), "does not belong to the rejected row " +
                                       std::to_string(line.row) + " of records.csv");
    }
  }

  std::string records_path_;
  std::string rejects_path_;
  std::unique_ptr<File> records_file_;
  std::unique_ptr<File> rejects_file_;
  CsvFile records_;
  CsvFile rejects_;
  std::vector<std::string> columns_;
  std::size_t duplicate_of_;
  Verification& result_;
  std::uint64_t expected_ = 0;
};

// embeddings.npy and checksums.npy, read in blocks.
class RowCheck {
 public:
  RowCheck(Files& files, const std::string& embeddings, const std::string& checksums,
           const StoreLayout& layout, bool empty_duplicates, Verification& result)
      : layout_(layout),
        empty_duplicates_(empty_duplicates),
        row_bytes_(row_bytes(layout)),
        path_(embeddings),
        embeddings_(files.open(embeddings, OpenMode::kRead)),
        checksums_(files.open(checksums, OpenMode::kRead)),
        result_(result) {}

  void check(const RecordLine& line) {
    const std::optional<std::span<const std::byte>> bytes = load(line.row);
    if (!bytes) {
      result_.add(where(line.row), "is missing: the file ends before it");
      return;
    }
    if (hash64(*bytes) != sums_[line.row - first_]) {
      result_.add(where(line.row), "does not match its checksum");
      return;
    }
    if (line.duplicate_of && !empty_duplicates_) {
      check_duplicate(line, *bytes);
    } else {
      check_values(line, values(*bytes));
    }
  }

  std::vector<float> stored(std::uint64_t row) {
    const std::optional<std::span<const std::byte>> bytes = load(row);
    return bytes ? values(*bytes) : std::vector<float>(layout_.dimension);
  }

 private:
  std::string where(std::uint64_t row) const { return path_ + " row " + std::to_string(row); }

  std::optional<std::span<const std::byte>> load(std::uint64_t row) {
    if (row < first_ || row >= first_ + sums_.size()) {
      const std::uint64_t count = std::max<std::uint64_t>(1, (4U << 20) / row_bytes_);
      block_.resize(count * row_bytes_);
      block_.resize(embeddings_->read_at(kNpyHeaderBytes + row * row_bytes_, block_));
      sums_.resize(count);
      const std::size_t got = checksums_->read_at(kNpyHeaderBytes + row * sizeof(std::uint64_t),
                                                  std::as_writable_bytes(std::span(sums_)));
      sums_.resize(std::min<std::size_t>(got / sizeof(std::uint64_t), block_.size() / row_bytes_));
      first_ = row;
    }
    if (row >= first_ + sums_.size()) {
      return std::nullopt;
    }
    return std::span(std::as_const(block_)).subspan((row - first_) * row_bytes_, row_bytes_);
  }

  std::vector<float> values(std::span<const std::byte> bytes) const {
    std::vector<float> vector(layout_.dimension);
    if (layout_.dtype == OutputDtype::kFp32) {
      std::memcpy(vector.data(), bytes.data(), bytes.size());
      return vector;
    }
    for (std::size_t i = 0; i < vector.size(); ++i) {
      std::uint16_t half = 0;
      std::memcpy(&half, bytes.data() + i * sizeof(half), sizeof(half));
      vector[i] = from_half(half);
    }
    return vector;
  }

  void check_values(const RecordLine& line, const std::vector<float>& vector) {
    if (line.status != Status::kOk) {
      if (!std::all_of(vector.begin(), vector.end(), [](float x) { return std::isnan(x); })) {
        result_.add(where(line.row), "holds a vector, and records.csv says it is " +
                                         std::string(to_string(line.status)));
      }
    } else if (!std::all_of(vector.begin(), vector.end(),
                            [](float x) { return std::isfinite(x); })) {
      result_.add(where(line.row), "is not finite, and records.csv says it is " +
                                       std::string(to_string(line.status)));
    }
  }

  void check_duplicate(const RecordLine& line, std::span<const std::byte> bytes) {
    std::vector<std::byte> original(row_bytes_);
    embeddings_->read_at(kNpyHeaderBytes + *line.duplicate_of * row_bytes_, original);
    if (!std::equal(bytes.begin(), bytes.end(), original.begin())) {
      result_.add(where(line.row), "differs from row " + std::to_string(*line.duplicate_of) +
                                       ", of which it is a duplicate");
    }
  }

  StoreLayout layout_;
  bool empty_duplicates_;
  std::uint64_t row_bytes_;
  std::string path_;
  std::unique_ptr<File> embeddings_;
  std::unique_ptr<File> checksums_;
  Verification& result_;
  std::uint64_t first_ = 0;
  std::vector<std::byte> block_;
  std::vector<std::uint64_t> sums_;
};

class Verifier {
 public:
  Verifier(Files& files, const std::string& path, const VerifySettings& settings)
      : files_(files), path_(path), settings_(settings), random_(settings.seed) {}

  Verification run() {
    if (files_.kind(path_) != PathKind::kDirectory) {
      throw Error(ExitCode::kIo, printable(path_, 400) + " is not a directory");
    }
    if (files_.locked(in(store_files::kLock))) {
      throw Error(ExitCode::kUnavailable,
                  "a run is writing to " + printable(path_, 400) + ": " +
                      printable(read_text(files_, in(store_files::kLock)), 400),
                  "verify when it has ended");
    }
    try {
      look();
    } catch (const Error& error) {
      if (error.code() != ExitCode::kBadData) {
        throw;
      }
      result_.add(path_, error.what());
    }
    return std::move(result_);
  }

 private:
  std::string in(const char* name) const { return path_in(path_, name); }

  void look() {
    if (!read_store(files_, path_)) {  // refuses a directory that is not ours
      result_.add(path_, "holds no run");
      return;
    }
    const std::string journal_path = in(store_files::kJournal);
    const auto file = files_.open(journal_path, OpenMode::kRead);
    JournalState journal = read_journal(*file, journal_path).value();
    result_.finished = journal.run.finish.has_value();
    if (journal.run.progress) {
      result_.committed = journal.run.progress->window_start + journal.run.progress->position;
    }
    if (journal.run.merging) {
      result_.add(journal_path,
                  "says that a retry of rejected rows is being merged: give its command again");
      return;
    }
    check_segments(*file, journal_path, journal.run.retries);
    if (!result_.finished) {
      result_.add(journal_path, "says that the run is not finished (" +
                                    std::to_string(result_.committed) +
                                    " records are committed): give its command again");
    } else if (journal.end.torn) {
      result_.add(journal_path, "holds something after its last line");
    }
    if (present(journal)) {
      check_rows(journal);
    }
    check_report(journal);
  }

  // A retry wrote both tables anew: what was claimed before it counts no longer.
  void check_segments(File& file, const std::string& journal_path, std::uint64_t retries) {
    SegmentCheck records(files_, in(store_files::kRecords), result_);
    SegmentCheck rejects(files_, in(store_files::kRejects), result_);
    scan_journal(file, journal_path, [&](const JournalLine& line) {
      if (line.kind == "retry" ? --retries == 0 : line.kind == "commit" && retries == 0) {
        const FileClaims claims = claims_from_json(parse_journal_line(journal_path, line));
        records.commit(claims.records_bytes, claims.records_hash);
        rejects.commit(claims.rejects_bytes, claims.rejects_hash);
      }
    });
    if (result_.finished) {
      records.check_end();
      rejects.check_end();
    }
  }

  // Of a run that was killed while it finished, either name may be there.
  std::string embeddings() {
    const bool partial = !result_.finished && files_.exists(in(store_files::kPartial));
    return in(partial ? store_files::kPartial : store_files::kEmbeddings);
  }

  bool present(const JournalState& journal) {
    if (!journal.run.progress) {
      return false;
    }
    bool all = true;
    for (const std::string& path : {embeddings(), in(store_files::kChecksums),
                                    in(store_files::kRecords), in(store_files::kRejects)}) {
      if (!files_.exists(path)) {
        result_.add(path, "is missing");
        all = false;
      }
    }
    if (result_.finished && files_.exists(in(store_files::kPartial))) {
      result_.add(in(store_files::kPartial), "is there beside the finished file");
    }
    return all;
  }

  void check_rows(const JournalState& journal) {
    if (result_.finished) {
      const std::uint64_t rows = journal.run.finish->at("rows");
      const StoreLayout& layout = journal.run.layout;
      check_npy(embeddings(), embeddings_header(layout, rows), rows * row_bytes(layout));
      check_npy(in(store_files::kChecksums), checksums_header(rows), rows * sizeof(std::uint64_t));
    }
    RowCheck rows(files_, embeddings(), in(store_files::kChecksums), journal.run.layout,
                  settings_.empty_duplicates, result_);
    RecordWalk walk(files_, path_, journal, result_);
    while (const std::optional<RecordLine> line = walk.next()) {
      count(*line);
      rows.check(*line);
    }
    const std::uint64_t expected = journal.run.progress->window_start;
    if (result_.rows != expected) {
      result_.add(in(store_files::kRecords), "holds " + std::to_string(result_.rows) +
                                                 " records; the journal claims " +
                                                 std::to_string(expected));
    }
    recompute(rows, journal.run.layout);
  }

  void check_npy(const std::string& path, const std::string& header, std::uint64_t bytes) {
    const auto file = files_.open(path, OpenMode::kRead);
    std::string found(header.size(), '\0');
    file->read_at(0, std::as_writable_bytes(std::span(found.data(), found.size())));
    if (found != header) {
      result_.add(path + " bytes 0 to 128", "is not the header of what the journal claims");
    }
    if (file->size() != header.size() + bytes) {
      result_.add(path, "has " + std::to_string(file->size()) + " bytes; the journal claims " +
                            std::to_string(header.size() + bytes));
    }
  }

  void count(const RecordLine& line) {
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

  void recompute(RowCheck& rows, const StoreLayout& layout) {
    if (!settings_.recompute || chosen_.empty()) {
      return;
    }
    std::sort(chosen_.begin(), chosen_.end());
    const std::optional<RecomputedRows> recomputed = settings_.recompute(chosen_);
    if (!recomputed) {
      return;
    }
    const std::vector<std::vector<float>>& again = recomputed->vectors;
    result_.tolerance = recomputed->tolerance;
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      const std::vector<float> stored = rows.stored(chosen_[i]);
      double greatest =
          again.at(i).size() == stored.size() ? 0 : std::numeric_limits<double>::infinity();
      double scale = 1;
      for (std::size_t j = 0; j < stored.size() && std::isfinite(greatest); ++j) {
        const float value =
            layout.dtype == OutputDtype::kFp16 ? from_half(to_half(again[i][j])) : again[i][j];
        const double difference = std::abs(double{value} - double{stored[j]});
        greatest = std::isnan(difference) ? std::numeric_limits<double>::infinity()
                                          : std::max(greatest, difference);
        scale = std::max(scale, std::abs(double{stored[j]}));
      }
      greatest /= scale;
      ++result_.recomputed;
      result_.recomputed_equal += greatest == 0 ? 1 : 0;
      result_.greatest_difference = std::max(result_.greatest_difference, greatest);
      if (greatest > recomputed->tolerance) {
        result_.add(embeddings() + " row " + std::to_string(chosen_[i]),
                    "differs from a new computation by " + short_number(greatest));
      }
    }
  }

  void check_report(const JournalState& journal) {
    const std::string path = in(store_files::kReport);
    if (!result_.finished) {
      return;
    }
    if (!files_.exists(path)) {
      result_.add(path, "is missing");
    } else if (to_hex(hash64(read_text(files_, path))) !=
               journal.run.finish->at("report").get<std::string>()) {
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
