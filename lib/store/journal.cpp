#include "store/journal.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "base/chained_lines.hpp"
#include "base/error.hpp"
#include "base/file_lines.hpp"
#include "base/hash.hpp"
#include "store/store_layout.hpp"

namespace longhaul::store {
namespace {

// The kind of a line whose checksum was right.
std::string_view kind_of(std::string_view line) {
  constexpr std::string_view kKey = "\"kind\":\"";
  const std::size_t at = line.find(kKey);
  if (at == std::string_view::npos) {
    return "";
  }
  const std::string_view rest = line.substr(at + kKey.size());
  return rest.substr(0, rest.find('"'));
}

class Scanner {
 public:
  Scanner(const std::string& name, const std::function<void(const JournalLine&)>& visit)
      : name_(name), visit_(visit) {}

  // One line without its newline, in order.
  void line(std::string_view text, bool terminated) {
    if (end_.torn) {
      damaged();
    }
    if (!terminated || !is_chained(end_.crc, text)) {
      end_.torn = true;
      return;
    }
    visit_({end_.lines, end_.bytes, kind_of(text), text});
    end_.crc = chained_crc(text);
    end_.last_line_at = end_.bytes;
    end_.bytes += text.size() + 1;
    ++end_.lines;
  }

  const JournalEnd& end() const { return end_; }

 private:
  [[noreturn]] void damaged() const {
    throw Error(ExitCode::kBadData,
                name_ + " is damaged: line " + std::to_string(end_.lines + 1) + " (byte " +
                    std::to_string(end_.bytes) + ") does not match its checksum",
                "restore it from a copy, or start anew with --overwrite");
  }

  const std::string& name_;
  const std::function<void(const JournalLine&)>& visit_;
  JournalEnd end_;
};

}  // namespace

JournalEnd scan_journal(File& file, const std::string& name,
                        const std::function<void(const JournalLine&)>& visit) {
  Scanner scanner(name, visit);
  for_each_line(file,
                [&](std::string_view line, bool terminated) { scanner.line(line, terminated); });
  return scanner.end();
}

Journal::Journal(std::unique_ptr<File> file, const JournalEnd& end)
    : file_(std::move(file)), end_(end) {
  file_->truncate(end_.bytes);
  if (end_.lines > 0) {
    std::vector<std::byte> last(end_.bytes - end_.last_line_at);
    file_->read_at(end_.last_line_at, last);
    file_->write_at(end_.last_line_at, last);
    file_->sync();
  }
}

void Journal::append(std::string_view kind, const nlohmann::ordered_json& fields) {
  nlohmann::ordered_json object = {{"n", end_.lines}, {"kind", kind}};
  object.update(fields);
  const std::string line = chained_line(end_.crc, object);
  file_->write_at(end_.bytes, bytes_of(line));
  file_->sync();
  end_.last_line_at = end_.bytes;
  end_.bytes += line.size();
  ++end_.lines;
  end_.crc = chained_crc(line);
}

// The checksum of the last line is of all lines.
void require_own_journal(Files& files, const std::string& path, const JournalEnd& end) {
  if (files.kind(path) == PathKind::kFile) {
    const std::unique_ptr<File> file = files.open(path, OpenMode::kRead);
    std::string crc(end.lines > 0 ? kChainedDigits : 0, '\0');
    crc.resize(file->read_at(end.last_line_at + kJournalStart.size(),
                             std::as_writable_bytes(std::span(crc.data(), crc.size()))));
    if (file->size() == end.bytes && (end.lines == 0 || crc == end.crc)) {
      return;
    }
  }
  throw Error(ExitCode::kUnavailable,
              path +
                  " is not as this process left it: another one works on the same output, on a "
                  "file system that does not keep them apart",
              "wait for the other one to end, then give the same command again");
}

// A path in it need not be UTF-8.
std::string report_text(const nlohmann::ordered_json& run_report) {
  return run_report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void finish_run(Files& files, const std::string& directory, Journal& journal, std::uint64_t rows,
                const std::string& report, nlohmann::ordered_json line) {
  write_atomically(files, path_in(directory, store_files::kReport), report);
  line["rows"] = rows;
  line["report"] = to_hex(hash64(report));
  journal.append("finish", line);
}

}  // namespace longhaul::store
