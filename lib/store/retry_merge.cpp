#include "store/retry_merge.hpp"

#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "store/journal_state.hpp"
#include "store/npy.hpp"
#include "store/progress_json.hpp"
#include "store/record_csv.hpp"
#include "store/row_file.hpp"
#include "store/store_directory.hpp"
#include "store/text_file.hpp"

namespace longhaul::store {
namespace {

constexpr const char* kRetry = "retry.partial";

using Fields = std::vector<std::string>;

constexpr std::size_t kRow = 0;
constexpr std::size_t kId = 1;
constexpr std::size_t kStatus = 3;

[[noreturn]] void unfit(const std::string& where, const std::string& what) {
  throw Error(ExitCode::kBadData, where + " " + what,
              "verify the output; deleting " + std::string(kRetry) + " gives the retry up");
}

// A CSV file of ours, read line by line after its header.
class Table {
 public:
  Table(Files& files, std::string path, std::size_t columns, std::optional<std::uint64_t> limit)
      : path_(std::move(path)),
        file_(files.open(path_, OpenMode::kRead)),
        csv_(*file_, path_, limit.value_or(file_->size())),
        columns_(columns) {
    csv_.next();
  }

  std::optional<Fields> next() {
    std::optional<Fields> fields = csv_.next();
    if (fields && fields->size() != columns_) {
      unfit(path_ + " line " + std::to_string(csv_.line()),
            "has " + std::to_string(fields->size()) + " fields, not " + std::to_string(columns_));
    }
    return fields;
  }

  Fields required() {
    std::optional<Fields> fields = next();
    if (!fields) {
      unfit(path_, "ends too early");
    }
    return std::move(*fields);
  }

 private:
  std::string path_;
  std::unique_ptr<File> file_;
  CsvFile csv_;
  std::size_t columns_;
};

constexpr std::size_t kRejectColumns = 6;

class Merge {
 public:
  Merge(Files& files, const std::string& output)
      : files_(files),
        output_(output),
        retry_(retry_directory(output)),
        old_(journal_of(output_)),
        again_(journal_of(retry_)),
        columns_(record_columns(old_.run.layout).size()) {
    if (again_.run.layout != old_.run.layout || !again_.run.finish || !old_.run.progress) {
      unfit(retry_, "is no finished retry of " + output_);
    }
  }

  void announce() {
    TextFile records(create(store_files::kRecordsNext), 0);
    TextFile rejects(create(store_files::kRejectsNext), 0);
    write_tables(records, rejects);
    records.sync();
    rejects.sync();
    files_.sync_directory(output_);
    nlohmann::ordered_json fields = {{"counters", again_.run.finish->at("counters")}};
    fields.update(to_json(FileClaims{old_.claims.extent, records.size(), records.segment_hash(),
                                     rejects.size(), rejects.segment_hash()}));
    Journal(files_.open(out(store_files::kJournal), OpenMode::kReadWrite), old_.end)
        .append("retry", fields);
  }

  void complete() {
    // Makes the line that was read durable: the sync that should have done so may have failed.
    Journal journal(files_.open(out(store_files::kJournal), OpenMode::kReadWrite), old_.end);
    // Once the new table has its name the rows were durable.
    if (files_.exists(out(store_files::kRejectsNext))) {
      copy_rows();
    }
    place(store_files::kRecordsNext, store_files::kRecords);
    place(store_files::kRejectsNext, store_files::kRejects);
    files_.sync_directory(output_);
    check_table(store_files::kRecords, old_.claims.records_bytes, old_.claims.records_hash);
    check_table(store_files::kRejects, old_.claims.rejects_bytes, old_.claims.rejects_hash);
    const std::string report = read_text(files_, again(store_files::kReport));
    if (to_hex(hash64(report)) != again_.run.finish->at("report").get<std::string>()) {
      unfit(again(store_files::kReport), "is not what the retry wrote when it finished");
    }
    write_atomically(files_, out(store_files::kReport), report);
    journal.append("finish", {{"code", again_.run.finish->at("code")},
                              {"rows", old_.run.progress->window_start},
                              {"report", to_hex(hash64(report))}});
  }

 private:
  std::string out(const char* name) const { return path_in(output_, name); }
  std::string again(const char* name) const { return path_in(retry_, name); }
  std::unique_ptr<File> create(const char* name) {
    return files_.open(out(name), OpenMode::kCreate);
  }

  JournalState journal_of(const std::string& directory) {
    const std::string name = path_in(directory, store_files::kJournal);
    std::optional<JournalState> state;
    if (files_.exists(name)) {
      state = read_journal(*files_.open(name, OpenMode::kRead), name);
    }
    if (!state) {
      unfit(name, "is missing, or holds nothing");
    }
    return std::move(*state);
  }

  Table table(const std::string& path, std::size_t columns,
              std::optional<std::uint64_t> limit = std::nullopt) {
    return Table(files_, path, columns, limit);
  }

  void write_tables(TextFile& records, TextFile& rejects) {
    Table before = table(out(store_files::kRecords), columns_, old_.claims.records_bytes);
    Table fresh = table(again(store_files::kRecords), columns_);
    Table fresh_rejects = table(again(store_files::kRejects), kRejectColumns);
    records.append(records_header(old_.run.layout));
    rejects.append(rejects_header());
    while (std::optional<Fields> line = before.next()) {
      if ((*line)[kStatus] == to_string(Status::kRejected)) {
        Fields record = of_row(fresh.required(), (*line)[kRow]);
        if (record[kId] != (*line)[kId]) {
          unfit(again(store_files::kRecords), "holds '" + printable(record[kId]) + "' where '" +
                                                  printable((*line)[kId]) + "' belongs");
        }
        if (record[kStatus] == to_string(Status::kRejected)) {
          rejects.append(csv_line(of_row(fresh_rejects.required(), (*line)[kRow])));
        }
        line = std::move(record);
      }
      records.append(csv_line(*line));
    }
    if (fresh.next()) {
      unfit(again(store_files::kRecords), "holds more records than were rejected");
    }
  }

  Fields of_row(Fields fields, const std::string& row) const {
    if (fields[kRow] != row) {
      unfit(retry_, "holds row " + printable(fields[kRow]) + " where row " + row + " belongs");
    }
    return fields;
  }

  // rejects.csv is still the old one: what it names, and nothing else, may be written.
  void copy_rows() {
    Table rejected = table(out(store_files::kRejects), kRejectColumns);
    Table fresh = table(again(store_files::kRecords), columns_);
    const auto vectors = files_.open(again(store_files::kEmbeddings), OpenMode::kRead);
    const auto sums = files_.open(again(store_files::kChecksums), OpenMode::kRead);
    const auto to_vectors = files_.open(out(store_files::kEmbeddings), OpenMode::kReadWrite);
    const auto to_sums = files_.open(out(store_files::kChecksums), OpenMode::kReadWrite);
    std::vector<std::byte> row(row_bytes(old_.run.layout));
    for (std::uint64_t number = 0; std::optional<Fields> line = fresh.next(); ++number) {
      const Fields record = of_row(std::move(*line), rejected.required()[kRow]);
      if (record[kStatus] == to_string(Status::kRejected)) {
        continue;
      }
      const std::optional<std::uint64_t> to = parse_count(record[kRow]);
      if (!to || *to >= old_.run.progress->window_start) {
        unfit(out(store_files::kRejects), "names the row '" + printable(record[kRow]) + "'");
      }
      std::uint64_t sum = 0;
      const std::span sum_bytes = std::as_writable_bytes(std::span(&sum, 1));
      vectors->read_at(kNpyHeaderBytes + number * row.size(), row);
      sums->read_at(kNpyHeaderBytes + number * sizeof(sum), sum_bytes);
      if (hash64(row) != sum) {
        unfit(again(store_files::kEmbeddings),
              "row " + std::to_string(number) + " does not match its checksum");
      }
      to_vectors->write_at(kNpyHeaderBytes + *to * row.size(), row);
      to_sums->write_at(kNpyHeaderBytes + *to * sizeof(sum), sum_bytes);
    }
    to_vectors->sync();
    to_sums->sync();
  }

  void place(const char* from, const char* to) {
    if (files_.exists(out(from))) {
      files_.rename(out(from), out(to));
    }
  }

  void check_table(const char* name, std::uint64_t bytes, std::uint64_t hash) {
    const auto file = files_.open(out(name), OpenMode::kRead);
    if (file->size() != bytes || hash_of(*file) != hash) {
      unfit(out(name), "is not what the journal claims");
    }
  }

  static std::uint64_t hash_of(File& file) {
    RunningHash64 hash;
    std::string chunk(1U << 20, '\0');
    for (std::uint64_t at = 0;;) {
      const std::size_t got =
          file.read_at(at, std::as_writable_bytes(std::span(chunk.data(), chunk.size())));
      if (got == 0) {
        return hash.value();
      }
      hash.add(std::string_view(chunk).substr(0, got));
      at += got;
    }
  }

  Files& files_;
  std::string output_;
  std::string retry_;
  JournalState old_;
  JournalState again_;
  std::size_t columns_;
};

// Whether the retry's own journal says that it belongs to the output as it is now.
bool is_current(Files& files, const std::string& retry, std::uint64_t retries) {
  const std::string name = path_in(retry, store_files::kJournal);
  if (!files.exists(name)) {
    return false;
  }
  try {
    const auto state = read_journal(*files.open(name, OpenMode::kRead), name);
    return state && state->run.begin.at("retry").at("after") == retries;
  } catch (const nlohmann::json::exception&) {
    return false;
  } catch (const Error& error) {
    if (error.code() != ExitCode::kBadData) {
      throw;
    }
    return false;  // damaged, and only a retry: it is done again
  }
}

}  // namespace

std::string retry_directory(const std::string& output) {
  return path_in(output, kRetry);
}

void merge_retry(Files& files, const std::string& output) {
  Merge(files, output).announce();
  Merge(files, output).complete();
  discard_retry(files, output);
}

bool recover_retry(Files& files, const std::string& output) {
  const std::string name = path_in(output, store_files::kJournal);
  const auto state = read_journal(*files.open(name, OpenMode::kRead), name);
  if (state && state->run.merging) {
    Merge(files, output).complete();
    discard_retry(files, output);
    return true;
  }
  const std::string retry = retry_directory(output);
  if (state && files.kind(retry) == PathKind::kDirectory &&
      !is_current(files, retry, state->run.retries)) {
    // The line that says so must last before what it is about goes.
    Journal(files.open(name, OpenMode::kReadWrite), state->end);
    discard_retry(files, output);
  }
  return false;
}

void discard_retry(Files& files, const std::string& output) {
  const std::string retry = retry_directory(output);
  if (files.kind(retry) != PathKind::kDirectory) {
    return;
  }
  remove_run_files(files, retry);
  files.remove(path_in(retry, store_files::kLock));
  files.remove_directory(retry);
}

}  // namespace longhaul::store
