#include "doctor/output_check.hpp"

#include <catch2/catch.hpp>

#include "fakes/fault_files.hpp"

using namespace longhaul;
using namespace longhaul::doctor;
using namespace longhaul::fakes;

namespace {

// Passes everything on, but for what a test takes over.
class OtherFiles : public Files {
 public:
  explicit OtherFiles(Files& files) : files_(files) {}
  std::unique_ptr<File> open(const std::string& path, OpenMode mode) override {
    return files_.open(path, mode);
  }
  PathKind kind(const std::string& path) override { return files_.kind(path); }
  void make_directory(const std::string& path) override { files_.make_directory(path); }
  void remove_directory(const std::string& path) override { files_.remove_directory(path); }
  void rename(const std::string& from, const std::string& to) override { files_.rename(from, to); }
  bool publish(const std::string& from, const std::string& to) override {
    return files_.publish(from, to);
  }
  void remove(const std::string& path) override { files_.remove(path); }
  void sync_directory(const std::string& path) override { files_.sync_directory(path); }
  std::vector<std::string> list(const std::string& path) override { return files_.list(path); }
  std::optional<std::uint64_t> free_bytes(const std::string&) override { return room; }
  std::unique_ptr<FileLock> lock(const std::string& path, std::string_view holder,
                                 std::optional<int> adopt) override {
    class NoLock : public FileLock {
      int keep_across_exec() override { return -1; }
    };
    return keeps_nobody_out ? std::make_unique<NoLock>() : files_.lock(path, holder, adopt);
  }
  bool locked(const std::string& path) override { return files_.locked(path); }

  std::uint64_t room = std::uint64_t{1} << 40;
  bool keeps_nobody_out = false;

 private:
  Files& files_;
};

std::vector<std::string> left_in(FaultFiles& files, const std::string& path) {
  return files.kind(path) == PathKind::kDirectory ? files.list(path) : std::vector<std::string>();
}

}  // namespace

TEST_CASE("a place for an output that is good, and nothing is left there") {
  FaultFiles memory;
  memory.make_directory("disk");
  OtherFiles files(memory);
  for (const char* path : {"disk", "disk/deep/out", "disk/out/"}) {
    const HealthLine line = check_output(files, path, "7");
    INFO(line.said);
    CHECK(line.health == Health::kOk);
    CHECK(left_in(memory, "disk").empty());
  }
}

TEST_CASE("whatever operation fails there, the line says so, and nothing is left") {
  FaultFiles counting;
  counting.make_directory("disk");
  const std::uint64_t before = counting.operations();
  REQUIRE(check_output(counting, "disk", "7").health != Health::kFailed);
  const std::uint64_t operations = counting.operations() - before;
  REQUIRE(operations > 10);
  std::uint64_t found = 0;
  for (std::uint64_t at = 0; at < operations; ++at) {
    FaultFiles files;
    files.make_directory("disk");
    files.arm(Fault::kErrorOnce, at);
    const HealthLine line = check_output(files, "disk", "7");
    CHECK(files.fired() == 1);
    found += line.health == Health::kFailed ? 1U : 0U;
    if (line.health == Health::kFailed) {
      CHECK_FALSE(line.said.empty());
      CHECK(left_in(files, "disk").empty());
    }
  }
  CHECK(found + 8 > operations);  // the others are those of clearing up
}

TEST_CASE("a full disk fails") {
  FaultFiles files;
  files.make_directory("disk");
  files.arm(Fault::kDiskFull, 1);
  CHECK(check_output(files, "disk", "7").health == Health::kFailed);
  CHECK(files.fired() > 0);
}

TEST_CASE("locks that keep nobody out, and little room, are warnings") {
  FaultFiles memory;
  memory.make_directory("disk");
  OtherFiles files(memory);
  files.keeps_nobody_out = true;
  CHECK(check_output(files, "disk", "7").health == Health::kWarning);
  CHECK(check_output(files, "disk", "7").said.find("locks") != std::string::npos);
  files.keeps_nobody_out = false;
  files.room = 1000;
  const HealthLine line = check_output(files, "disk", "7");
  CHECK(line.health == Health::kWarning);
  CHECK(line.said.find("free") != std::string::npos);
}

TEST_CASE("a file is no place, nor is a folder of other things") {
  FaultFiles files;
  files.make_directory("disk");
  files.open("disk/file", OpenMode::kCreate)->write_at(0, bytes_of("x"));
  CHECK(check_output(files, "disk/file", "7").health == Health::kFailed);
  CHECK(check_output(files, "disk", "7").health == Health::kFailed);
  CHECK(left_in(files, "disk") == std::vector<std::string>{"file"});
}
