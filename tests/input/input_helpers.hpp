// What the tests of reading share: sources in memory that come in small blocks, files that vanish,
// and records as short text.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "input/record_reader.hpp"
#include "input/source_reader.hpp"

namespace longhaul::input::test {

// Bytes in memory, given out at most `most` at a time.
class MemorySource : public ByteSource {
 public:
  explicit MemorySource(std::string text, std::size_t most = ~std::size_t{0})
      : text_(std::move(text)), most_(most) {}
  std::size_t read(std::span<char> into) override {
    const std::size_t size = std::min({into.size(), most_, text_.size() - at_});
    std::memcpy(into.data(), text_.data() + at_, size);
    at_ += size;
    return size;
  }
  bool seek(std::uint64_t offset) override {
    at_ = static_cast<std::size_t>(offset);
    return offset <= text_.size();
  }
  std::uint64_t stored_bytes_read() const override { return at_; }

 private:
  std::string text_;
  std::size_t most_;
  std::size_t at_ = 0;
};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "longhaul-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  std::string path(const std::string& name = "") const {
    return name.empty() ? path_ : path_ + "/" + name;
  }
  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }

 private:
  std::string path_;
};

inline std::string shown(const Record& record) {
  std::string text = record.id + "|" + record.payload;
  for (const std::string& value : record.kept) {
    text += "|" + value;
  }
  if (record.defect) {
    text += " !" + std::string(to_string(record.defect->reason));
  }
  return text + " @" + std::to_string(record.line) + ":" + std::to_string(record.byte);
}

inline std::vector<std::string> drain(input::SourceReader& reader) {
  std::vector<std::string> all;
  for (Record record; reader.next(record); record = Record{}) {
    all.push_back(shown(record));
  }
  return all;
}

inline std::vector<Record> drain(input::RecordReader& reader) {
  std::vector<Record> all;
  while (auto record = reader.next()) {
    all.push_back(std::move(*record));
  }
  return all;
}

// What the call throws: its exit code and its text with the remedy.
struct Thrown {
  int code = 0;
  std::string text;
  bool says(const std::string& part) const { return text.find(part) != std::string::npos; }
};

template <typename Call>
Thrown thrown_by(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return {to_int(error.code()), std::string(error.what()) + "; " + error.remedy()};
  }
  return {};
}

}  // namespace longhaul::input::test
