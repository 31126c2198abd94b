#include "export/push_output.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "export/repeated_key.hpp"
#include "store/checked_rows.hpp"
#include "store/layers.hpp"

namespace longhaul::export_room {
namespace {

constexpr std::uint64_t kBatchBytes = 8 << 20;
constexpr std::uint64_t kBatchRows = 10000;
// Whatever --batch-rows says: a batch is held, and then sent in one piece.
constexpr std::uint64_t kMostBatchBytes = 64 << 20;
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

void look_out(const PushContext& context, const DatabaseTable& table, const PushSummary& summary) {
  if (context.stop()) {
    throw Error(
        ExitCode::kInterrupted,
        "stopped: " + format_count(summary.rows.added + summary.rows.changed + summary.rows.same) +
            " rows are in " + table.place(),
        "the same command goes on");
  }
}

// All that a table would refuse in a record, before anything is sent.
class RecordJudge {
 public:
  RecordJudge(const store::OutputReader& output, PushKey key)
      : output_(output), key_(key), columns_(output.layout().kept_columns) {}

  // `each` is called for every record.
  template <typename Each>
  void judge(Each each) {
    std::vector<KeyedRow> seen;
    seen.reserve(key_ == PushKey::kId ? output_.rows() : 0);
    store::RecordCursor records = output_.records();
    for (RecordRow record; records.next(record);) {
      each();
      if (record.status != Status::kOk) {
        continue;
      }
      require_text(record, columns_);
      by_number_ = by_number_ || told_by_number(record.id, record.position);
      if (key_ == PushKey::kId) {
        require_short(record);
        seen.push_back({hash128(record.id), record.position});
      }
    }
    require_distinct(std::move(seen));
  }

  // Whether another input's rows may have the keys of these.
  bool may_meet_others() const { return key_ == PushKey::kRow || by_number_; }

 private:
  static void require_short(const RecordRow& record) {
    if (record.id.size() > kLongestKey) {
      throw Error(ExitCode::kBadData,
                  "the id of " + record_words(record) + " has " + format_count(record.id.size()) +
                      " bytes, too many for a key of PostgreSQL",
                  "push with --key row");
    }
  }

  void require_distinct(std::vector<KeyedRow> seen) const {
    const auto twice = rows_with_one_key(std::move(seen));
    if (!twice) {
      return;
    }
    throw Error(ExitCode::kBadData,
                "the id " + printable(record_at(output_, twice->first).id) + " is that of rows " +
                    std::to_string(twice->first) + " and " + std::to_string(twice->second) +
                    ", and a table has one row for an id",
                "push with --key row");
  }

  const store::OutputReader& output_;
  PushKey key_;
  std::vector<std::string> columns_;
  bool by_number_ = false;
};

// Rows on their way, so many at a time.
class Batches {
 public:
  // `send` takes what the table was given.
  Batches(DatabaseTable& table, std::optional<std::uint64_t> most_rows, std::function<void()> send)
      : table_(table), most_rows_(most_rows), send_(std::move(send)) {}

  void add(const PushedRow& row) {
    table_.add(row);
    ++rows_;
    bytes_ += row.vector.size_bytes() + row.id.size();
    for (const std::string& text : row.texts) {
      bytes_ += text.size();
    }
    if (rows_ >= most_rows_.value_or(kBatchRows) ||
        bytes_ >= (most_rows_ ? kMostBatchBytes : kBatchBytes)) {
      finish();
    }
  }

  void finish() {
    if (rows_ > 0) {
      send_();
    }
    rows_ = bytes_ = 0;
  }

 private:
  DatabaseTable& table_;
  std::optional<std::uint64_t> most_rows_;
  std::function<void()> send_;
  std::uint64_t rows_ = 0;
  std::uint64_t bytes_ = 0;
};

// A look at all rows before any is sent, so that what is refused leaves nothing behind.
void refuse_others(const store::OutputReader& output, std::size_t array, const PushRequest& request,
                   const PushContext& context, DatabaseTable& table) {
  store::CheckedRows rows(output);
  Batches batches(table, request.batch_rows, [&table] { table.refuse_others(); });
  for (RecordRow record; rows.next(record);) {
    look_out(context, table, {});
    if (record.status == Status::kOk) {
      batches.add({record.position, record.id, rows.numbers(array), record.kept});
    }
  }
  batches.finish();
}

void push_rows(const store::OutputReader& output, std::size_t array, const PushRequest& request,
               const PushContext& context, DatabaseTable& table, PushSummary& summary) {
  store::CheckedRows rows(output);
  Batches batches(table, request.batch_rows, [&] {
    const BatchOutcome done = table.commit();
    summary.rows.added += done.added;
    summary.rows.changed += done.changed;
    summary.rows.same += done.same;
    ++summary.batches;
  });
  std::uint64_t seen = 0;
  for (RecordRow record; rows.next(record);) {
    look_out(context, table, summary);
    context.progress(++seen, output.rows());
    if (record.status != Status::kOk) {
      ++(record.status == Status::kRejected ? summary.rejected : summary.duplicates);
      continue;
    }
    batches.add({record.position, record.id, rows.numbers(array), record.kept});
  }
  batches.finish();
}

}  // namespace

bool told_by_number(std::string_view id, std::uint64_t number) {
  return id == std::to_string(number);
}

PushSummary push_output(const store::OutputReader& output, const PushRequest& request,
                        const PushContext& context) {
  const TableShape shape = push_shape(output, request);
  PushSummary summary;
  const std::vector<OutputSpec>& arrays = output.layout().outputs;
  const auto array = static_cast<std::size_t>(
      std::ranges::find(arrays, store::array_of_layer(output, request.layer)) - arrays.begin());
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    if (i != array) {
      summary.arrays_left_out.push_back(arrays[i].name);
    }
  }
  const std::unique_ptr<DatabaseTable> table =
      context.open({request.uri, shape, request.index, context.connect_seconds, context.stop});
  summary.place = table->place();
  table->check();
  RecordJudge judge(output, request.key);
  judge.judge([&] { look_out(context, *table, summary); });
  if (table->has_rows() && judge.may_meet_others()) {
    refuse_others(output, array, request, context, *table);
  }
  table->make();
  push_rows(output, array, request, context, *table, summary);
  summary.index_made = request.index && table->make_index();
  return summary;
}

}  // namespace longhaul::export_room
