#include "export/csv_table.hpp"

#include <array>
#include <charconv>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::export_room {
namespace {

constexpr std::size_t kBuffer = 1U << 20;

// The shortest that reads as the same number.
std::string exact(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

struct InWords {
  std::string operator()(std::monostate) const { return ""; }
  std::string operator()(std::uint64_t count) const { return std::to_string(count); }
  std::string operator()(bool flag) const { return flag ? "true" : "false"; }
  std::string operator()(double number) const { return exact(number); }
  std::string operator()(std::string_view text) const { return csv_field(text); }
};

class CsvTable : public TableSink {
 public:
  CsvTable(Files& files, const std::string& path, const TableSchema& schema)
      : file_(files.open(path, OpenMode::kCreate)) {
    if (!schema.vectors.empty()) {
      throw Error(ExitCode::kInternal, "a table of CSV takes no vectors");
    }
    for (const Column& column : schema.columns) {
      field(csv_field(column.name));
    }
    end_line();
  }

  void add(const TableRow& row) override {
    for (const Cell& cell : row.cells) {
      field(std::visit(InWords{}, cell));
    }
    end_line();
  }

  void finish() override {
    write();
    file_->sync();
  }

 private:
  void field(const std::string& text) {
    buffer_ += first_ ? "" : ",";
    buffer_ += text;
    first_ = false;
  }

  void end_line() {
    buffer_ += '\n';
    first_ = true;
    if (buffer_.size() >= kBuffer) {
      write();
    }
  }

  void write() {
    file_->write_at(at_, bytes_of(buffer_));
    at_ += buffer_.size();
    buffer_.clear();
  }

  std::unique_ptr<File> file_;
  std::uint64_t at_ = 0;
  std::string buffer_;
  bool first_ = true;  // of the line
};

}  // namespace

MakeSink csv_sink() {
  return [](Files& files, const std::string& path, const TableSchema& schema) {
    return std::make_unique<CsvTable>(files, path, schema);
  };
}

}  // namespace longhaul::export_room
