#include "export/export_output.hpp"

#include <algorithm>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "export/new_path.hpp"
#include "export/output_table.hpp"
#include "store/checked_rows.hpp"

namespace longhaul::export_room {
namespace {

// One file, or a folder of files of so many rows. An output without rows is one table without any.
class Tables {
 public:
  Tables(const ExportRequest& request, const ExportContext& context, const TableSchema& schema)
      : request_(request),
        context_(context),
        schema_(schema),
        place_(context.files, request.file,
               request.rows_per_file ? PathKind::kDirectory : PathKind::kFile, request.ending,
               context.lock_holder) {
    next_file();
  }

  void add(const TableRow& row) {
    if (request_.rows_per_file && rows_ == *request_.rows_per_file) {
      sink_->finish();
      next_file();
    }
    sink_->add(row);
    ++rows_;
  }

  std::uint64_t finish() {
    sink_->finish();
    sink_.reset();
    place_.publish();
    return files_;
  }

 private:
  void next_file() {
    rows_ = 0;
    const std::string path = request_.rows_per_file ? place_.part(files_) : place_.file();
    ++files_;
    sink_.reset();
    sink_ = context_.make_sink(context_.files, path, schema_);
  }

  const ExportRequest& request_;
  const ExportContext& context_;
  const TableSchema& schema_;
  NewPath place_;
  std::unique_ptr<TableSink> sink_;
  std::uint64_t rows_ = 0;  // in this file
  std::uint64_t files_ = 0;
};

[[noreturn]] void stopped(const ExportRequest& request) {
  throw Error(ExitCode::kInterrupted,
              "stopped: " + printable(request.file, 400) + " is not there yet",
              "the same command begins it again");
}

void check_names(const store::OutputReader& output, const ExportRequest& request,
                 const ExportContext& context) {
  if (!request.names) {
    return;
  }
  const DatasetNames names = check_dataset_names(output, *request.names, request.all, [&] {
    if (context.stop()) {
      stopped(request);
    }
  });
  for (const std::string& words : warnings_of(names)) {
    context.warn(words);
  }
}

std::vector<std::string> other_arrays(const store::OutputReader& output,
                                      const std::vector<std::size_t>& arrays) {
  std::vector<std::string> others;
  for (std::size_t i = 0; i < output.layout().outputs.size(); ++i) {
    if (std::ranges::find(arrays, i) == arrays.end()) {
      others.push_back(array_column(output.layout().outputs[i]));
    }
  }
  return others;
}

void count_left_out(const RecordRow& record, ExportSummary& summary) {
  ++(record.status == Status::kRejected ? summary.rejected : summary.duplicates);
}

}  // namespace

ExportSummary export_output(const store::OutputReader& output, const ExportRequest& request,
                            const ExportContext& context) {
  const std::vector<std::size_t> arrays = arrays_named(output, request.array);
  const TableSchema schema = output_schema(output, request.all, arrays);
  check_names(output, request, context);
  Tables tables(request, context, schema);
  store::CheckedRows rows(output);
  RecordCells cells(output.layout());
  ExportSummary summary;
  summary.arrays_left_out = other_arrays(output, arrays);
  std::vector<std::optional<std::span<const float>>> vectors(schema.vectors.size());
  std::uint64_t seen = 0;
  for (RecordRow record; rows.next(record);) {
    if (context.stop()) {
      stopped(request);
    }
    context.progress(++seen, output.rows());
    if (record.status != Status::kOk && !request.all) {
      count_left_out(record, summary);
      continue;
    }
    const bool there = rows.has_vector(record);
    for (std::size_t i = 0; i < vectors.size(); ++i) {
      vectors[i] = there ? std::optional(rows.numbers(arrays[i])) : std::nullopt;
    }
    tables.add({cells.of(record), vectors});
    ++summary.rows;
    summary.without += there ? 0U : 1U;
  }
  summary.files = tables.finish();
  return summary;
}

}  // namespace longhaul::export_room
