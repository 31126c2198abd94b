#include "export/push_output.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "store/checked_rows.hpp"

namespace longhaul::export_room {
namespace {

constexpr std::uint64_t kBatchBytes = 8 << 20;
constexpr std::uint64_t kBatchRows = 10000;
// A key of PostgreSQL's index has its place in a third of a page.
constexpr std::size_t kLongestKey = 2680;

std::string record_words(const RecordRow& record) {
  return "row " + std::to_string(record.position) + ", id " + printable(record.id);
}

[[noreturn]] void not_text(const RecordRow& record, const std::string& what) {
  throw Error(ExitCode::kBadData,
              what + " of " + record_words(record) +
                  " is no text for PostgreSQL: it holds a NUL, or is not UTF-8",
              "correct it in the input and embed again (--reuse computes only what is new)");
}

bool is_database_text(std::string_view text) {
  return text.find('\0') == std::string_view::npos && is_utf8(text);
}

void require_text(const RecordRow& record, const std::vector<std::string>& columns) {
  if (!is_database_text(record.id)) {
    not_text(record, "the id");
  }
  for (std::size_t i = 0; i < record.kept.size(); ++i) {
    if (!is_database_text(record.kept[i])) {
      not_text(record, "column " + printable(columns[i]));
    }
  }
}

// All that a table would refuse in a record, before anything is sent.
class RecordJudge {
 public:
  RecordJudge(const store::OutputReader& output, PushKey key)
      : output_(output), key_(key), columns_(output.layout().kept_columns) {}

  void judge() {
    std::vector<std::pair<Hash128, std::uint64_t>> seen;
    store::RecordCursor records = output_.records();
    for (RecordRow record; records.next(record);) {
      if (record.status != Status::kOk) {
        continue;
      }
      require_text(record, columns_);
      if (key_ == PushKey::kId) {
        require_short(record);
        seen.emplace_back(hash128(record.id), record.position);
      }
    }
    require_distinct(std::move(seen));
  }

 private:
  static void require_short(const RecordRow& record) {
    if (record.id.size() > kLongestKey) {
      throw Error(ExitCode::kBadData,
                  "the id of " + record_words(record) + " has " + format_count(record.id.size()) +
                      " bytes, too many for a key of PostgreSQL",
                  "push with --key row");
    }
  }

  void require_distinct(std::vector<std::pair<Hash128, std::uint64_t>> seen) const {
    std::ranges::sort(seen, {}, [](const auto& entry) {
      return std::tuple(entry.first.high, entry.first.low, entry.second);
    });
    const auto twice = std::ranges::adjacent_find(
        seen, [](const auto& a, const auto& b) { return a.first == b.first; });
    if (twice == seen.end()) {
      return;
    }
    std::string id;
    store::RecordCursor records = output_.records();
    for (RecordRow record; records.next(record);) {
      if (record.position == twice->second) {
        id = record.id;
        break;
      }
    }
    throw Error(ExitCode::kBadData,
                "the id " + printable(id) + " is that of rows " + std::to_string(twice->second) +
                    " and " + std::to_string(std::next(twice)->second) +
                    ", and a table has one row for an id",
                "push with --key row");
  }

  const store::OutputReader& output_;
  PushKey key_;
  std::vector<std::string> columns_;
};

// Rows on their way: a transaction for each batch.
class Batches {
 public:
  Batches(DatabaseTable& table, std::optional<std::uint64_t> most_rows, PushSummary& summary)
      : table_(table), most_rows_(most_rows), summary_(summary) {}

  void add(const PushedRow& row) {
    table_.add(row);
    ++rows_;
    bytes_ += row.vector.size_bytes() + row.id.size();
    for (const std::string& text : row.texts) {
      bytes_ += text.size();
    }
    if (most_rows_ ? rows_ >= *most_rows_ : rows_ >= kBatchRows || bytes_ >= kBatchBytes) {
      commit();
    }
  }

  void commit() {
    if (rows_ == 0) {
      return;
    }
    const BatchOutcome done = table_.commit();
    summary_.rows.added += done.added;
    summary_.rows.changed += done.changed;
    summary_.rows.same += done.same;
    ++summary_.batches;
    rows_ = bytes_ = 0;
  }

 private:
  DatabaseTable& table_;
  std::optional<std::uint64_t> most_rows_;
  PushSummary& summary_;
  std::uint64_t rows_ = 0;
  std::uint64_t bytes_ = 0;
};

std::uint64_t committed(const PushSummary& summary) {
  return summary.rows.added + summary.rows.changed + summary.rows.same;
}

void push_rows(const store::OutputReader& output, std::size_t array, const PushRequest& request,
               const PushContext& context, DatabaseTable& table, PushSummary& summary) {
  store::CheckedRows rows(output);
  Batches batches(table, request.batch_rows, summary);
  std::uint64_t seen = 0;
  for (RecordRow record; rows.next(record);) {
    if (context.stop()) {
      throw Error(ExitCode::kInterrupted,
                  "stopped: " + format_count(committed(summary)) + " rows are in " + table.place(),
                  "the same command goes on");
    }
    context.progress(++seen, output.rows());
    if (record.status != Status::kOk) {
      ++(record.status == Status::kRejected ? summary.rejected : summary.duplicates);
      continue;
    }
    batches.add({record.position, record.id, rows.numbers(array), record.kept});
  }
  batches.commit();
}

}  // namespace

PushSummary push_output(const store::OutputReader& output, const PushRequest& request,
                        const PushContext& context) {
  const TableShape shape = push_shape(output, request);
  PushSummary summary;
  const std::size_t array = pushed_array(output.layout(), request.layer);
  for (std::size_t i = 0; i < output.layout().outputs.size(); ++i) {
    if (i != array) {
      summary.arrays_left_out.push_back(output.layout().outputs[i].name);
    }
  }
  const std::unique_ptr<DatabaseTable> table =
      context.open({request.uri, shape, request.index, context.connect_seconds, context.stop});
  summary.place = table->place();
  table->check();
  RecordJudge(output, request.key).judge();
  table->make();
  push_rows(output, array, request, context, *table, summary);
  summary.index_made = request.index && table->make_index();
  return summary;
}

}  // namespace longhaul::export_room
