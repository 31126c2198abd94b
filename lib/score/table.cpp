#include "score/table.hpp"

#include <memory>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/byte_source.hpp"
#include "input/line_scanner.hpp"

namespace longhaul::score {
namespace {

constexpr std::uint64_t kMaxLineBytes = 64ULL << 20;
constexpr std::size_t kBlockBytes = 256ULL << 10;

// Lines of foreign text: any end, byte order marks left out, binaries refused.
class ForeignLines : public CsvLines {
 public:
  ForeignLines(const std::string& path, std::string shown)
      : shown_(std::move(shown)),
        lines_(input::open_byte_source(path), shown_, kMaxLineBytes, kBlockBytes) {
    input::Line comment;
    while (lines_.peek(1).starts_with('#')) {
      lines_.next(comment);
    }
  }

  bool next(CsvLine& line) override {
    input::Line found;
    if (!lines_.next(found)) {
      return false;
    }
    if (found.too_long) {
      throw Error(ExitCode::kBadData, shown_ + ", line " + std::to_string(found.number) +
                                          ": a line longer than " + format_bytes(kMaxLineBytes));
    }
    line = {found.text, found.terminator, found.number};
    return true;
  }

 private:
  std::string shown_;
  input::LineScanner lines_;
};

}  // namespace

CsvReader open_table(const std::string& path) {
  const std::string shown = path == "-" ? "standard input" : printable(path, 400);
  return CsvReader(std::make_unique<ForeignLines>(path, shown), shown);
}

std::size_t require_column(const CsvReader& table, std::string_view column, std::string_view flag) {
  const std::optional<std::size_t> found = table.find(column);
  if (!found) {
    throw Error(ExitCode::kUsage,
                table.name() + " has no column '" + printable(column) + "'; there are " +
                    join(table.columns(), ", "),
                "name one with " + std::string(flag));
  }
  return *found;
}

}  // namespace longhaul::score
