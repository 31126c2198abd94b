#include "store/record_cursor.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "store/record_csv.hpp"
#include "store/table_chunks.hpp"

namespace longhaul::store {
namespace {

// Lines of our own tables: each ends with LF.
class OwnLines : public CsvLines {
 public:
  OwnLines(std::unique_ptr<File> file, std::string path, std::string remedy, std::uint64_t limit,
           std::size_t chunk)
      : file_(std::move(file)),
        path_(std::move(path)),
        remedy_(std::move(remedy)),
        limit_(limit),
        chunk_(chunk) {}

  bool next(CsvLine& line) override {
    std::size_t searched = begin_;
    std::size_t end = buffer_.find('\n', searched);
    while (end == std::string::npos) {
      searched = buffer_.size() - begin_;
      if (!refill()) {
        break;
      }
      end = buffer_.find('\n', searched);
    }
    ++number_;
    if (end == std::string::npos) {
      if (begin_ == buffer_.size()) {
        return false;
      }
      throw Error(ExitCode::kBadData,
                  path_ + ": line " + std::to_string(number_) + " does not end as a CSV line does",
                  remedy_);
    }
    line = {std::string_view(buffer_).substr(begin_, end - begin_), "\n", number_};
    begin_ = end + 1;
    return true;
  }

 private:
  bool refill() {
    buffer_.erase(0, begin_);
    begin_ = 0;
    const std::size_t kept = buffer_.size();
    const auto more = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_, limit_ - offset_));
    buffer_.resize(kept + more);
    const std::size_t got =
        file_->read_at(offset_, std::as_writable_bytes(std::span(buffer_.data() + kept, more)));
    buffer_.resize(kept + got);
    offset_ += got;
    return got > 0;
  }

  std::unique_ptr<File> file_;
  std::string path_;
  std::string remedy_;
  std::uint64_t limit_;
  std::size_t chunk_;
  std::uint64_t offset_ = 0;  // of the end of the buffer
  std::string buffer_;
  std::size_t begin_ = 0;
  std::uint64_t number_ = 0;
};

class HeaderLine : public CsvLines {
 public:
  explicit HeaderLine(std::string header) : header_(std::move(header)) {
    if (header_.ends_with('\n')) {
      header_.pop_back();
    }
  }
  bool next(CsvLine& line) override {
    line = {header_, "\n", 1};
    return !std::exchange(given_, true);
  }

 private:
  std::string header_;
  bool given_ = false;
};

template <typename Number>
bool read_number(std::string_view text, Number& number) {
  const std::optional<std::uint64_t> value = parse_count(text);
  if (!value || *value > std::numeric_limits<Number>::max()) {
    return false;
  }
  number = static_cast<Number>(*value);
  return true;
}

std::string wrong_width(const CsvReader& table, std::size_t columns) {
  return "has " + std::to_string(table.fields().size()) + " fields, not " + std::to_string(columns);
}

}  // namespace

CsvReader open_own_table(Files& files, const std::string& path, const std::string& remedy,
                         std::optional<std::uint64_t> limit) {
  return open_in_chunks(files, path, remedy,
                        limit.value_or(std::numeric_limits<std::uint64_t>::max()),
                        std::size_t{256} << 10);
}

CsvReader open_empty_table(std::string header, const std::string& path, const std::string& remedy) {
  return CsvReader(std::make_unique<HeaderLine>(std::move(header)), path, remedy);
}

CsvReader open_in_chunks(Files& files, const std::string& path, const std::string& remedy,
                         std::uint64_t limit, std::size_t chunk) {
  return CsvReader(
      std::make_unique<OwnLines>(files.open(path, OpenMode::kRead), path, remedy, limit, chunk),
      path, remedy);
}

RecordCursor::RecordCursor(CsvReader table, const StoreLayout& layout, Rows rows,
                           std::string remedy)
    : table_(std::move(table)),
      columns_(record_columns(layout)),
      later_(layout.later),
      rows_(rows),
      remedy_(std::move(remedy)) {}

bool RecordCursor::header_fits() const {
  return table_.columns() == columns_;
}

std::string RecordCursor::read(RecordRow& row) const {
  if (table_.fields().size() != columns_.size()) {
    return wrong_width(table_, columns_.size());
  }
  std::size_t at = 0;
  const auto take = [&] { return table_.field(at++); };
  const bool numbered = read_number(take(), row.position);
  row.id = take();
  row.source = take();
  const std::string_view status = take();
  const std::optional<Status> known = from_string<Status>(status);
  if (!numbered || !known) {
    row.position = numbered ? row.position : expected_;
    return "has no valid row or status";
  }
  row.status = *known;
  const bool length = read_number(take(), row.length);
  const std::string_view truncated = take();
  row.truncated = truncated == "true";
  if (!length || (!row.truncated && truncated != "false") ||
      !read_number(take(), row.substituted) || (later_.gaps && !read_number(take(), row.gaps)) ||
      (later_.windows && !read_number(take(), row.windows))) {
    return "has no valid length, truncated, substituted, gaps or windows";
  }
  if (const std::string_view hash = take(); !hash.empty()) {
    const std::optional<Hash128> value = hash128_from_hex(hash);
    if (!value) {
      return "has no valid hash";
    }
    row.hash = *value;
  }
  const std::string_view original = take();
  row.duplicate_of = parse_count(original);
  if ((row.status == Status::kDuplicate) != row.duplicate_of.has_value() ||
      row.duplicate_of.value_or(0) >= std::max<std::uint64_t>(row.position, 1)) {
    row.duplicate_of.reset();
    return "has duplicate_of '" + printable(original) + "' beside the status " +
           std::string(status);
  }
  while (at < columns_.size()) {
    row.kept.emplace_back(take());
  }
  return {};
}

bool RecordCursor::next(RecordRow& row, std::string& problem) {
  if (!table_.next_of_any_width()) {
    return false;
  }
  row = {};
  row.position = expected_;
  problem = read(row);
  if (rows_ == Rows::kAll ? row.position != expected_ : row.position < expected_) {
    problem = (problem.empty() ? "" : problem + ", and ") + "holds row " +
              std::to_string(row.position) + " where row " + std::to_string(expected_) +
              (rows_ == Rows::kAll ? "" : " or a later one") + " belongs";
  }
  row.row = rows_ == Rows::kAll ? row.position : lines_;
  ++lines_;
  expected_ = row.position + 1;
  return true;
}

bool RecordCursor::next(RecordRow& row) {
  if (!header_fits()) {
    throw Error(ExitCode::kBadData, path() + ", line 1: is not the header of these records",
                remedy_);
  }
  std::string problem;
  const bool found = next(row, problem);
  if (!problem.empty()) {
    throw Error(ExitCode::kBadData, table_.where() + ": " + problem, remedy_);
  }
  return found;
}

bool RejectCursor::next(RecordRow& row, std::string& problem) {
  if (!table_.next_of_any_width()) {
    return false;
  }
  row = {};
  row.status = Status::kRejected;
  problem.clear();
  constexpr std::size_t kColumns = 6;
  if (table_.fields().size() != kColumns) {
    problem = wrong_width(table_, kColumns);
    return true;
  }
  const std::optional<Reason> reason = reason_from_string(table_.field(4));
  if (!read_number(table_.field(0), row.position) || !reason ||
      (!table_.field(3).empty() && !read_number(table_.field(3), row.line))) {
    problem = "has no valid row, line or reason";
    return true;
  }
  row.id = table_.field(1);
  row.source = table_.field(2);
  row.defect = Defect{*reason, std::string(table_.field(5))};
  row.row = row.position;
  if (previous_ && row.position <= *previous_) {
    problem =
        "holds row " + std::to_string(row.position) + " after row " + std::to_string(*previous_);
  }
  previous_ = row.position;
  return true;
}

bool RejectCursor::next(RecordRow& row) {
  std::string problem;
  const bool found = next(row, problem);
  if (!problem.empty()) {
    throw Error(ExitCode::kBadData, table_.where() + ": " + problem, remedy_);
  }
  return found;
}

std::optional<StoreLayout> layout_of_columns(const std::vector<std::string>& columns) {
  for (const LaterColumns& later :
       {LaterColumns{}, LaterColumns{.gaps = true, .windows = false}, LaterColumns{false, false}}) {
    StoreLayout layout;
    layout.later = later;
    const std::vector<std::string> ours = record_columns(layout);
    if (columns.size() >= ours.size() && std::equal(ours.begin(), ours.end(), columns.begin())) {
      layout.kept_columns.assign(columns.begin() + static_cast<std::ptrdiff_t>(ours.size()),
                                 columns.end());
      return layout;
    }
  }
  return std::nullopt;
}

}  // namespace longhaul::store
