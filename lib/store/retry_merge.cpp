#include "store/retry_merge.hpp"

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "store/journal_state.hpp"
#include "store/npy.hpp"
#include "store/output_reader.hpp"
#include "store/record_csv.hpp"
#include "store/row_sums.hpp"
#include "store/store_directory.hpp"
#include "store/text_file.hpp"

namespace longhaul::store {
namespace {

constexpr const char* kRetry = "retry.partial";
constexpr const char* kGiveUp = "verify the output; deleting retry.partial gives the retry up";

[[noreturn]] void unfit(const std::string& where, const std::string& what) {
  throw Error(ExitCode::kBadData, where + " " + what, kGiveUp);
}

OutputReader part(Files& files, const std::string& path) {
  if (files.kind(path) != PathKind::kDirectory) {
    unfit(path, "is missing");
  }
  OutputReader output(files, path, OutputReader::JournalFile::kRequired, kGiveUp);
  if (!output.claims()) {
    unfit(output.path_of(store_files::kJournal), "is missing, or holds nothing");
  }
  return output;
}

RecordRow required(RejectCursor& rejects) {
  RecordRow row;
  if (!rejects.next(row)) {
    unfit(rejects.path(), "ends too early");
  }
  return row;
}

class Merge {
 public:
  Merge(Files& files, const std::string& output)
      : files_(files),
        output_(output),
        retry_(retry_directory(output)),
        old_output_(part(files, output_)),
        retry_output_(part(files, retry_)),
        old_(*old_output_.claims()),
        again_(*retry_output_.claims()) {
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
    FileClaims claims{old_.claims.extent, records.size(),         records.segment_hash(),
                      rejects.size(),     rejects.segment_hash(), old_.claims.arrays};
    for (std::size_t i = 0; i < outputs().size(); ++i) {
      if (outputs()[i].kind == ArrayKind::kTokens) {
        claims.arrays.at(i) = write_residues(outputs()[i]);
      }
    }
    files_.sync_directory(output_);
    nlohmann::ordered_json fields = {{"counters", again_.run.finish->at("counters")}};
    fields.update(to_json(claims));
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
    for (const OutputSpec& output : outputs()) {
      if (output.kind == ArrayKind::kTokens) {
        place(next_file(array_file(output)), array_file(output));
        place(next_file(offsets_file(output)), offsets_file(output));
      }
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
    finish_run(files_, output_, journal, old_.run.progress->window_start, report,
               {{"code", again_.run.finish->at("code")}});
  }

 private:
  std::string out(const std::string& name) const { return path_in(output_, name); }
  std::string again(const char* name) const { return path_in(retry_, name); }
  const std::vector<OutputSpec>& outputs() const { return old_.run.layout.outputs; }
  std::unique_ptr<File> create(const std::string& name) {
    return files_.open(out(name), OpenMode::kCreate);
  }

  void write_tables(TextFile& records, TextFile& rejects) {
    RecordCursor before = old_output_.records();
    RecordCursor fresh = retry_output_.records();
    RejectCursor fresh_rejects = retry_output_.rejects();
    records.append(records_header(old_.run.layout));
    rejects.append(rejects_header());
    RecordRow line;
    while (before.next(line)) {
      if (line.status == Status::kRejected) {
        RecordRow record;
        if (!fresh.next(record)) {
          unfit(fresh.path(), "ends too early");
        }
        require_row(fresh.path(), record, line);
        if (record.id != line.id) {
          unfit(fresh.path(),
                "holds '" + printable(record.id) + "' where '" + printable(line.id) + "' belongs");
        }
        if (record.status == Status::kRejected) {
          const RecordRow reject = required(fresh_rejects);
          require_row(fresh_rejects.path(), reject, line);
          rejects.append(rejects_line(reject));
        }
        line = std::move(record);
      }
      records.append(records_line(old_.run.layout, line));
    }
    if (RecordRow extra; fresh.next(extra)) {
      unfit(fresh.path(), "holds more records than were rejected");
    }
  }

  static void require_row(const std::string& path, const RecordRow& found,
                          const RecordRow& wanted) {
    if (found.position != wanted.position) {
      unfit(path, "holds row " + std::to_string(found.position) + " where row " +
                      std::to_string(wanted.position) + " belongs");
    }
  }

  // Calls `each` with every row of the output, and with the row of the retry that takes its place.
  void for_each_row(
      const std::function<void(std::uint64_t row, std::optional<std::uint64_t> again)>& each) {
    RejectCursor rejected(open_own_table(files_, out(store_files::kRejects), kGiveUp), kGiveUp);
    RecordCursor fresh = retry_output_.records();
    std::uint64_t row = 0;
    for (RecordRow record; fresh.next(record); ++row) {
      const RecordRow place = required(rejected);
      require_row(fresh.path(), record, place);
      for (; row < place.position; ++row) {
        each(row, std::nullopt);
      }
      each(row, record.status == Status::kRejected ? std::nullopt : std::optional(record.row));
    }
    for (; row < old_output_.rows(); ++row) {
      each(row, std::nullopt);
    }
  }

  // Rows that have more residues now move those behind them: both files anew, beside the old.
  ArrayClaim write_residues(const OutputSpec& output) {
    ArrayReader before = old_output_.array(output);
    ArrayReader fresh = retry_output_.array(output);
    ArrayClaim claim{old_output_.rows(), 0};
    for_each_row([&](std::uint64_t row, std::optional<std::uint64_t> again) {
      claim.vectors += again ? fresh.vectors(*again) : before.vectors(row);
    });
    TextFile data(create(next_file(array_file(output))), 0);
    TextFile offsets(create(next_file(offsets_file(output))), 0);
    data.append(array_header(output, claim.vectors));
    offsets.append(offsets_header(claim.rows));
    std::int64_t first = 0;
    const auto write_offset = [&] {
      offsets.append({reinterpret_cast<const char*>(&first), sizeof(first)});
    };
    write_offset();
    for_each_row([&](std::uint64_t row, std::optional<std::uint64_t> again) {
      ArrayReader& from = again ? fresh : before;
      const auto bytes = from.bytes(again.value_or(row));
      if (!bytes) {
        unfit(from.where(again.value_or(row)), "is missing");
      }
      data.append({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
      first += static_cast<std::int64_t>(bytes->size() / vector_bytes(output));
      write_offset();
    });
    data.sync();
    offsets.sync();
    return claim;
  }

  // Vectors and checksums; residues have files of their own. rejects.csv is still the old one: what
  // it names, and nothing else, may be written.
  void copy_rows() {
    RejectCursor rejected(open_own_table(files_, out(store_files::kRejects), kGiveUp), kGiveUp);
    RecordCursor fresh = retry_output_.records();
    std::vector<ArrayReader> arrays = retry_output_.arrays();
    std::vector<std::unique_ptr<File>> to;
    for (const OutputSpec& output : outputs()) {
      to.push_back(output.kind == ArrayKind::kTokens
                       ? nullptr
                       : files_.open(out(array_file(output)), OpenMode::kReadWrite));
    }
    ChecksumReader checksums = retry_output_.checksums();
    const auto to_sums = files_.open(out(store_files::kChecksums), OpenMode::kReadWrite);
    for (RecordRow record; fresh.next(record);) {
      const RecordRow place = required(rejected);
      require_row(fresh.path(), record, place);
      if (place.position >= old_output_.rows()) {
        unfit(rejected.path(), "names the row '" + std::to_string(place.position) + "'");
      }
      if (record.status == Status::kRejected) {
        continue;
      }
      const std::uint64_t row = place.position;
      if (const auto fault = fault_of_row(arrays, checksums, record.row)) {
        unfit(fault->where, fault->what);
      }
      const std::uint64_t sum = checksums.of(record.row).value();
      for (std::size_t i = 0; i < arrays.size(); ++i) {
        if (to[i]) {
          const auto bytes = arrays[i].bytes(record.row).value();
          to[i]->write_at(kNpyHeaderBytes + row * bytes.size(), bytes);
        }
      }
      to_sums->write_at(kNpyHeaderBytes + row * sizeof(sum), std::as_bytes(std::span(&sum, 1)));
    }
    for (const auto& file : to) {
      if (file) {
        file->sync();
      }
    }
    to_sums->sync();
  }

  void place(const std::string& from, const std::string& to) {
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
    std::string chunk(std::min<std::uint64_t>(file.size(), 1U << 20), '\0');
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
  OutputReader old_output_;
  OutputReader retry_output_;
  const JournalState& old_;
  const JournalState& again_;
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
    const Journal durable(files.open(name, OpenMode::kReadWrite), state->end);
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
