#include "store/output_reader.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "store/npy.hpp"
#include "store/record_csv.hpp"
#include "store/store_directory.hpp"

namespace longhaul::store {

OutputReader::OutputReader(Files& files, std::string path, JournalFile journal, std::string remedy)
    : files_(files), path_(std::move(path)), remedy_(std::move(remedy)) {
  if (files.kind(path_) != PathKind::kDirectory) {
    throw Error(ExitCode::kIo, printable(path_, 400) + " is not a directory",
                "name the --output of a longhaul embed run");
  }
  const bool there = has(store_files::kJournal);
  if (journal == JournalFile::kRequired && !is_output_directory(files, path_)) {
    return;
  }
  if (there) {
    const std::string name = path_of(store_files::kJournal);
    claims_ = read_journal(*files.open(name, OpenMode::kRead), name);
  } else {
    read_headers();
  }
}

void OutputReader::read_headers() {
  const std::string name = path_of(store_files::kEmbeddings);
  std::string start(kNpyHeaderLimit, '\0');
  const auto file = files_.open(name, OpenMode::kRead);
  start.resize(file->read_at(0, std::as_writable_bytes(std::span(start.data(), start.size()))));
  const NpyHeader header = parse_npy_header(start, name);
  const bool half = header.type == "<f2";
  float64_ = header.type == "<f8";
  if (header.shape.size() != 2 || (!half && !float64_ && header.type != "<f4")) {
    throw Error(ExitCode::kBadData, name + " does not have one vector for each record", remedy_);
  }
  header_bytes_ = header.data_offset;
  if (file->size() != header_bytes_ + header.count() * header.item_bytes()) {
    throw Error(ExitCode::kBadData, name + " ends early, or holds more than its header says",
                remedy_);
  }
  copied_ =
      layout_of_columns(open_own_table(files_, path_of(store_files::kRecords), remedy_).columns());
  if (!copied_) {
    throw Error(ExitCode::kBadData,
                path_of(store_files::kRecords) + ", line 1: is not the header of records", remedy_);
  }
  copied_->outputs = single_vector(static_cast<std::uint32_t>(header.shape[1]),
                                   half ? OutputDtype::kFp16 : OutputDtype::kFp32)
                         .outputs;
  copied_rows_ = header.shape[0];
}

bool OutputReader::finished() const {
  return copied_ || (claims_ && claims_->run.finish);
}

std::uint64_t OutputReader::rows() const {
  if (copied_) {
    return copied_rows_;
  }
  return claims_ && claims_->run.progress ? claims_->run.progress->window_start : 0;
}

const StoreLayout& OutputReader::layout() const {
  if (!copied_ && !claims_) {
    throw Error(ExitCode::kBadData, printable(path_, 400) + " holds no run");
  }
  return copied_ ? *copied_ : claims_->run.layout;
}

nlohmann::ordered_json OutputReader::run() const {
  return read_report(files_, path_);
}

nlohmann::ordered_json read_report(Files& files, const std::string& directory) {
  const std::string path = path_in(directory, store_files::kReport);
  if (!files.exists(path)) {
    return nlohmann::ordered_json::object();
  }
  nlohmann::ordered_json report =
      nlohmann::ordered_json::parse(read_text(files, path), nullptr, false);
  return report.is_object() ? report : nlohmann::ordered_json::object();
}

std::string OutputReader::writer() const {
  return holder_of(files_, path_);
}

bool report_is_claimed(Files& files, const std::string& directory, const StoreState& finished) {
  return to_hex(hash64(read_text(files, path_in(directory, store_files::kReport)))) ==
         finished.finish->at("report").get<std::string>();
}

std::string holder_of(Files& files, const std::string& directory) {
  const std::string lock = path_in(directory, store_files::kLock);
  if (!files.locked(lock)) {
    return "";
  }
  const std::string holder = read_text(files, lock);
  return holder.empty() ? "another process" : printable(holder, 400);
}

// A finished run without a commit had no record: its tables are their headers.
bool OutputReader::limited() const {
  return claims_ && (claims_->run.progress || !claims_->run.finish);
}

RecordCursor OutputReader::records() const {
  std::optional<std::uint64_t> limit;
  Rows rows = Rows::kAll;
  if (limited()) {
    limit = claims_->claims.records_bytes;
  }
  if (claims_) {
    const nlohmann::json& begin = claims_->run.begin;
    rows = begin.contains("shard") || begin.contains("retry") ? Rows::kSelected : Rows::kAll;
  }
  const std::string path = path_of(store_files::kRecords);
  return {limit == 0U ? open_empty_table(records_header(layout()), path, remedy_)
                      : open_own_table(files_, path, remedy_, limit),
          layout(), rows, remedy_};
}

RejectCursor OutputReader::rejects() const {
  std::optional<std::uint64_t> limit;
  if (limited()) {
    limit = claims_->claims.rejects_bytes;
  }
  const std::string path = path_of(store_files::kRejects);
  return {limit == 0U ? open_empty_table(rejects_header(), path, remedy_)
                      : open_own_table(files_, path, remedy_, limit),
          remedy_};
}

std::string OutputReader::array_path(const OutputSpec& output) const {
  const bool partial = !finished() && has(partial_file(output));
  return path_of(partial ? partial_file(output) : array_file(output));
}

ArrayReader OutputReader::array(const OutputSpec& output) const {
  return {files_,
          output,
          {array_path(output), path_of(offsets_file(output)), remedy_, header_bytes_, float64_}};
}

std::vector<ArrayReader> OutputReader::arrays() const {
  std::vector<ArrayReader> arrays;
  for (const OutputSpec& output : layout().outputs) {
    arrays.push_back(array(output));
  }
  return arrays;
}

ArrayReader OutputReader::array(std::string_view name) const {
  std::vector<std::string> names;
  for (const OutputSpec& output : layout().outputs) {
    if (output.name == name) {
      return array(output);
    }
    names.push_back(output.name);
  }
  throw Error(ExitCode::kUsage, printable(path_, 400) + " has no array '" + printable(name) +
                                    "'; there are " + join(names, ", "));
}

ChecksumReader OutputReader::checksums() const {
  return {files_, path_of(store_files::kChecksums)};
}

}  // namespace longhaul::store
