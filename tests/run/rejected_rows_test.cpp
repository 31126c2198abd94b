#include "run/rejected_rows.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <set>

#include "base/error.hpp"
#include "fakes/vector_reader.hpp"
#include "input/selected_reader.hpp"

using namespace longhaul;
using namespace longhaul::run;

namespace {

class RejectsFile {
 public:
  explicit RejectsFile(const std::vector<std::string>& rows) {
    std::ofstream out(path());
    out << "row,id,source,line,reason,message\n";
    for (const std::string& row : rows) {
      out << row << ",\"i,d\n\",in.csv,3,too_long,m\n";
    }
  }
  ~RejectsFile() { std::remove(path().c_str()); }
  RejectsFile(const RejectsFile&) = delete;
  RejectsFile& operator=(const RejectsFile&) = delete;
  std::string path() const { return folder_; }

 private:
  static std::string make() {
    std::string name = "/tmp/longhaul-rejects-XXXXXX";
    const int file = mkstemp(name.data());
    REQUIRE(file >= 0);
    close(file);
    return name;
  }
  std::string folder_ = make();
};

}  // namespace

TEST_CASE("what rejects.csv names is wanted, in whatever order it is asked for") {
  const auto files = posix_files();
  std::mt19937 random(7);
  std::set<std::uint64_t> rejected;
  while (rejected.size() < 40) {
    rejected.insert(random() % 200);
  }
  std::vector<std::string> rows;
  for (const std::uint64_t row : rejected) {
    rows.push_back(std::to_string(row));
  }
  const RejectsFile file(rows);
  RejectedRows selection(*files, file.path(), rows.size());
  for (std::uint64_t position = 0; position < 200; ++position) {
    REQUIRE(selection.wants(position, {}) == rejected.contains(position));
  }
  for (int i = 0; i < 500; ++i) {
    const std::uint64_t position = random() % 220;
    REQUIRE(selection.wants(position, {}) == rejected.contains(position));
  }
  CHECK(selection.count_of(std::nullopt) == 40U);
}

TEST_CASE("a retry gives the rejected records their rows, and the digest of the whole input") {
  const auto files = posix_files();
  const RejectsFile file({"2", "3", "9"});
  const auto open = [&] {
    return input::SelectedReader(
        std::make_unique<fakes::VectorReader>(fakes::generated_records(12, 20)),
        std::make_unique<RejectedRows>(*files, file.path(), 3));
  };
  input::SelectedReader reader = open();
  CHECK(reader.progress().records_total == 3U);
  CHECK(reader.next()->position == 2);
  const input::InputPosition behind = reader.position();
  const auto second = reader.next();
  CHECK(second->position == 3);
  CHECK(second->row == 1);
  CHECK(reader.next()->position == 9);
  CHECK_FALSE(reader.next());
  CHECK(reader.position().position == 12);
  input::SelectedReader all(std::make_unique<fakes::VectorReader>(fakes::generated_records(12, 20)),
                            std::make_unique<input::AllRecords>());
  all.read_to(input::SelectedReader::kEnd);
  CHECK(reader.position().digest == all.position().digest);
  // One reader that goes back, and a fresh one that goes there.
  input::SelectedReader fresh = open();
  for (input::SelectedReader* again : {&reader, &fresh}) {
    REQUIRE(again->seek(behind));
    CHECK(again->next()->row == 1);
    CHECK(again->next()->position == 9);
    CHECK_FALSE(again->next());
    CHECK(again->position().digest == all.position().digest);
  }
}

TEST_CASE("a rejects.csv that is damaged is named, and its place") {
  const auto files = posix_files();
  const auto ask = [&](const std::vector<std::string>& rows) {
    const RejectsFile file(rows);
    RejectedRows selection(*files, file.path(), rows.size());
    selection.wants(100, {});
  };
  CHECK_NOTHROW(ask({}));
  CHECK_THROWS_WITH(ask({"1", "x"}), Catch::Contains("line 4: has no valid row"));
  CHECK_THROWS_WITH(ask({"5", "5"}), Catch::Contains("line 4: holds row 5 after row 5"));
  CHECK_THROWS_WITH(ask({"5", "4"}), Catch::Contains("line 4: holds row 4 after row 5"));
}
