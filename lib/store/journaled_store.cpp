#include "store/journaled_store.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "store/progress_json.hpp"
#include "store/record_csv.hpp"

namespace longhaul::store {
namespace {

[[noreturn]] void misuse(const std::string& what) {
  throw Error(ExitCode::kInternal, "the store was used wrongly: " + what);
}

}  // namespace

JournaledStore::JournaledStore(Files& files, std::string directory, const StoreLayout& layout,
                               Journal journal, const FileClaims& claims, std::uint64_t completed)
    : files_(files),
      directory_(std::move(directory)),
      layout_(layout),
      journal_(std::move(journal)),
      rows_(
          layout, [this](const std::string& name) { return create(name); }, claims),
      records_(create(store_files::kRecords), claims.records_bytes),
      rejects_(create(store_files::kRejects), claims.rejects_bytes),
      open_(completed),
      committed_(completed) {
  if (claims.records_bytes == 0) {
    records_.append(records_header(layout));
    rejects_.append(rejects_header());
  }
  // The names must last before a commit claims what is in them; an earlier process may have ended
  // before it got here.
  files_.sync_directory(directory_);
}

std::unique_ptr<File> JournaledStore::create(const std::string& name) {
  return files_.open(path(name), OpenMode::kCreate);
}

void JournaledStore::require_own() const {
  require_own_journal(files_, path(store_files::kJournal), journal_.end());
}

// After a failure nothing more is taken: a failed sync may have dropped what it could not write.
template <typename Action>
auto JournaledStore::guarded(Action action) {
  if (failure_) {
    throw Error(failure_->code(),
                std::string("the store stopped after an earlier failure: ") + failure_->what(),
                failure_->remedy());
  }
  try {
    return action();
  } catch (const Error& error) {
    failure_ = error;
    throw;
  } catch (const std::exception& error) {
    failure_ = Error(ExitCode::kInternal, error.what());
    throw;
  }
}

void JournaledStore::require_open_window(std::uint64_t row) const {
  if (!open_.contains(row)) {
    misuse("row " + std::to_string(row) + " belongs to a complete window");
  }
}

void JournaledStore::place_window(std::uint64_t first_row,
                                  std::span<const std::uint32_t> residues) {
  guarded([&] {
    require_open_window(first_row);
    rows_.place(first_row, residues);
  });
}

bool JournaledStore::put(std::uint64_t row, std::span<const std::span<const float>> values) {
  return guarded([&] {
    require_open_window(row);
    if (!rows_.put(row, values)) {
      return false;
    }
    open_.put(row);
    return true;
  });
}

void JournaledStore::put_nan(std::uint64_t row) {
  guarded([&] {
    require_open_window(row);
    rows_.put_nan(row);
    open_.put(row);
  });
}

std::vector<std::vector<float>> JournaledStore::get(std::uint64_t row) {
  return guarded([&] { return rows_.get(row); });
}

void JournaledStore::complete(const RecordRow& row) {
  if (row.status == Status::kRejected) {
    if (!row.defect) {
      misuse("row " + std::to_string(row.row) + " is rejected without a reason");
    }
    rows_.put_nan(row.row);
    rejects_.append(rejects_line(row));
  } else if (!open_.is_put(row.row) && !rows_.intact(row.row)) {
    throw Error(ExitCode::kBadData,
                "row " + std::to_string(row.row) + " is claimed by " + path(store_files::kJournal) +
                    " and is not in " + path(partial_file(layout_.outputs.front())),
                "start anew with --overwrite");
  }
  records_.append(records_line(layout_, row));
  if (row.stamp && row.status != Status::kRejected) {
    if (!stamps_) {
      stamps_.emplace(files_, path(store_files::kStamps));
    }
    stamps_->put(row.row, stamp_mark(*row.stamp, row.hash));
  }
}

void JournaledStore::complete_window(std::span<const RecordRow> rows) {
  guarded([&] {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].row != open_.first() + i) {
        misuse("row " + std::to_string(rows[i].row) + " follows " +
               std::to_string(open_.first() + i) + " complete records");
      }
      complete(rows[i]);
    }
    open_.complete(rows.size());
    rows_.flush();
  });
}

void JournaledStore::commit(const Progress& progress) {
  guarded([&] {
    if (progress.window_start != open_.first()) {
      misuse("a commit at record " + std::to_string(progress.window_start) + " after " +
             std::to_string(open_.first()) + " complete records");
    }
    require_own();  // before tables are written to that may be another's by now
    rows_.sync();
    records_.sync();
    rejects_.sync();
    if (stamps_) {
      stamps_->flush();
    }
    // Of a window that nothing is claimed of, nothing need be there either.
    FileClaims claims = rows_.claims(progress.position == 0 ? open_.first() : rows_.rows());
    claims.records_bytes = records_.size();
    claims.records_hash = records_.segment_hash();
    claims.rejects_bytes = rejects_.size();
    claims.rejects_hash = rejects_.segment_hash();
    nlohmann::ordered_json fields = to_json(progress);
    fields.update(to_json(claims));
    require_own();
    journal_.append("commit", fields);
    records_.start_segment();
    rejects_.start_segment();
    committed_ = open_.first();
  });
}

void JournaledStore::drop_window(const Progress& progress) {
  if (open_.any_put() || progress.position != 0 || !progress.late.empty()) {
    misuse("a window is dropped while it is written");
  }
  // The journal gives the rows up before the files do.
  guarded([&] { rows_.forget(open_.first()); });
  commit(progress);
  guarded([&] { rows_.cut(); });
}

void JournaledStore::note(const nlohmann::json& line) {
  guarded([&] {
    require_own();
    journal_.append("note", {{"note", line}});
  });
}

void JournaledStore::write_report(const nlohmann::ordered_json& run_report) {
  guarded([&] {
    require_own();
    write_atomically(files_, path(store_files::kReport), report_text(run_report));
  });
}

void JournaledStore::finish(std::uint64_t rows, const nlohmann::ordered_json& run_report,
                            const nlohmann::json& line) {
  guarded([&] {
    if (finished_) {
      return;
    }
    if (rows != open_.first() || committed_ != rows || rows_.rows() != rows) {
      misuse("a finish with " + std::to_string(rows) + " records, of which " +
             std::to_string(committed_) + " are committed");
    }
    require_own();
    records_.sync();
    rejects_.sync();
    rows_.finish(rows);
    if (stamps_) {
      stamps_->finish(rows);
    }
    for (const OutputSpec& output : layout_.outputs) {
      files_.rename(path(partial_file(output)), path(array_file(output)));
    }
    files_.sync_directory(directory_);
    finish_run(files_, directory_, journal_, rows, report_text(run_report), line);
    finished_ = true;
  });
}

}  // namespace longhaul::store
