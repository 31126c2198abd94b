// What the tests of image inputs share: folders that vanish, records by their ids, tar members.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "input/image_source.hpp"

namespace longhaul::input::test {

namespace fs = std::filesystem;

using Counts = std::map<std::string, std::uint64_t>;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "longhaul_images_XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string file(const std::string& name, const std::string& content = "x") const {
    const fs::path path = path_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }
  std::string path(const std::string& name = "") const {
    return name.empty() ? path_.string() : (path_ / name).string();
  }

 private:
  fs::path path_;
};

inline std::vector<Record> all(input::ImageSource& source) {
  std::vector<Record> records;
  for (Record record; source.next(record); record = {}) {
    records.push_back(record);
  }
  return records;
}

inline std::vector<std::string> ids(const std::vector<Record>& records) {
  std::vector<std::string> ids;
  for (const Record& record : records) {
    ids.push_back(record.id);
  }
  return ids;
}

inline std::string octal(std::uint64_t value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(value));
  return text;
}

inline std::string tar_header(const std::string& name, std::uint64_t size, char type,
                              const std::string& target = "") {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) {
    header.replace(at, text.size(), text);
  };
  put(0, name);
  put(100, "0000644");
  put(124, octal(size, 11));
  put(136, octal(1700000000, 11));
  put(148, "        ");
  header[156] = type;
  put(157, target);
  put(257, std::string("ustar\00000", 8));
  unsigned sum = 0;
  for (const char c : header) {
    sum += static_cast<unsigned char>(c);
  }
  put(148, octal(sum, 6) + '\0');
  return header;
}

inline std::string tar_member(const std::string& name, const std::string& content, char type = '0',
                              const std::string& target = "") {
  std::string member = tar_header(name, content.size(), type, target) + content;
  member.resize((member.size() + 511) / 512 * 512);
  return member;
}

inline std::string pax_record(const std::string& key, const std::string& value) {
  const std::string rest = " " + key + "=" + value + "\n";
  std::size_t size = rest.size() + 1;
  while (std::to_string(size).size() + rest.size() != size) {
    size = std::to_string(size).size() + rest.size();
  }
  return std::to_string(size) + rest;
}

}  // namespace longhaul::input::test
