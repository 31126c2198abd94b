// The index of an input, and the records of a shard that are read by it: those that a shard has
// that reads everything, with the same digests, and from the same input alone.
#include "input/indexed_reader.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "base/error.hpp"
#include "fakes/recording_log.hpp"
#include "fakes/vector_reader.hpp"
#include "input/selected_reader.hpp"

using namespace longhaul;
using namespace longhaul::fakes;
using namespace longhaul::input;

namespace {

constexpr std::uint64_t kStretch = 8;

// Counts what is read of it; of several source files, each may be gone to at its beginning.
class Watched : public VectorReader {
 public:
  Watched(std::vector<Record> records, bool seeks, std::uint64_t per_file, std::uint64_t* read)
      : VectorReader(std::move(records), true, seeks), per_file_(per_file), read_(read) {}

  std::optional<Record> next() override {
    *read_ += 1;
    return VectorReader::next();
  }
  std::optional<InputPosition> source_begin() const override {
    if (per_file_ == 0) {
      return std::nullopt;
    }
    const std::uint64_t row = position().position / per_file_ * per_file_;
    const std::string at = "at=" + std::to_string(row);
    return InputPosition{row, row, at, LeftOut({{"things between", row}})};
  }
  bool seek(const InputPosition& to) override {
    if (per_file_ > 0 && to.position % per_file_ == 0) {
      jump(to);
      return true;
    }
    return VectorReader::seek(to);
  }

 private:
  std::uint64_t per_file_;
  std::uint64_t* read_;
};

class InputFolder {
 public:
  InputFolder() : files(posix_files()) {
    std::string name = (std::filesystem::temp_directory_path() / "longhaul_index_XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~InputFolder() { std::filesystem::remove_all(path); }
  InputFolder(const InputFolder&) = delete;
  InputFolder& operator=(const InputFolder&) = delete;

  std::string in(const std::string& name) const { return path + "/" + name; }
  void write(RecordReader& input, const std::string& name = "index.jsonl") {
    const auto file = files->open(in(name), OpenMode::kCreate);
    file->truncate(0);
    write_index(
        input, {kStretch, false, {{"skip-lines", "0"}}, {7, 9}}, *file, [](std::uint64_t) {},
        [] {
          return std::vector<std::string>{"aa", ""};
        });
  }
  InputIndex index_of(const std::vector<Record>& records, std::uint64_t per_file = 0) {
    std::uint64_t read = 0;
    Watched input(records, true, per_file, &read);
    write(input);
    return read_index(*files, in("index.jsonl"), "make it anew");
  }
  std::vector<std::string> lines() const {
    std::ifstream file(in("index.jsonl"));
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) {
      all.push_back(line);
    }
    return all;
  }
  Error damage(const std::vector<std::string>& lines, const std::string& end = "\n") {
    {
      std::ofstream file(in("index.jsonl"));
      for (std::size_t i = 0; i < lines.size(); ++i) {
        file << lines[i] << (i + 1 < lines.size() ? "\n" : end);
      }
    }
    try {
      read_index(*files, in("index.jsonl"), "make it anew");
    } catch (const Error& error) {
      return error;
    }
    return {ExitCode::kDone, "it was read"};
  }

  std::unique_ptr<Files> files;
  std::string path;
};

using Given = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

// A shard by the index, and the same records by reading everything.
struct Shards {
  const InputIndex& index;
  const std::vector<Record>& records;
  ShardBlocks own;
  bool seeks = true;
  std::uint64_t per_file = 0;
  std::uint64_t read = 0;
  RecordingLog log = {};

  std::unique_ptr<DigestedReader> indexed() {
    return std::make_unique<IndexedReader>(
        std::make_unique<Watched>(records, seeks, per_file, &read), index, own, "OUT/index.jsonl",
        &log);
  }
  std::unique_ptr<DigestedReader> plain() const {
    return std::make_unique<SelectedReader>(std::make_unique<VectorReader>(records, true),
                                            std::make_unique<ShardBlocks>(own));
  }
};

void check_same(const InputPosition& found, const InputPosition& expected) {
  CHECK(found.position == expected.position);
  CHECK(found.row == expected.row);
  CHECK(found.digest == expected.digest);
  CHECK(found.selected == expected.selected);
}

Error failure(DigestedReader& reader) {
  try {
    while (reader.next()) {
    }
  } catch (const Error& error) {
    return error;
  }
  return {ExitCode::kDone, "all was read"};
}

}  // namespace

TEST_CASE("an index says where each stretch begins and what it holds", "[index]") {
  InputFolder folder;
  const std::vector<Record> records = mixed_records(3 * kStretch + 5);
  const InputIndex index = folder.index_of(records, kStretch);
  REQUIRE(index.stretches.size() == 4);
  CHECK(index.records() == records.size());
  CHECK(index.header.settings.at("skip-lines") == "0");
  CHECK(index.header.source_bytes == std::vector<std::uint64_t>{7, 9});
  CHECK(index.sha256 == std::vector<std::string>{"aa", ""});
  CHECK(index.stretches[2].begin.cursor == "at=16");
  CHECK(index.stretches[2].begin.left_out.total() == 16);
  CHECK(index.stretches[3].records == 5);
  CHECK(index.sources.size() == 4);
  std::uint64_t cost = 0;
  InputDigest all;
  for (const Record& record : records) {
    all.add(record);
    cost += record.defect ? 0 : record.payload.size();
  }
  CHECK(index.digest == all.value().content);
  CHECK(index.cost == cost);
  CHECK(index.stretches[0].cost > 0);
}

TEST_CASE("a spoiled index is refused and says where", "[index]") {
  InputFolder folder;
  folder.index_of(mixed_records(5 * kStretch));
  const std::vector<std::string> lines = folder.lines();
  REQUIRE(lines.size() == 7);
  REQUIRE(folder.damage(lines).code() == ExitCode::kDone);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    INFO("line " << i + 1);
    auto changed = lines;
    changed[i][changed[i].size() / 2] ^= 1;
    const Error byte = folder.damage(changed);
    CHECK(byte.code() == ExitCode::kBadData);
    CHECK(std::string(byte.what()).find("line " + std::to_string(i + 1)) != std::string::npos);
    CHECK(byte.remedy() == "make it anew");
    auto missing = lines;
    missing.erase(missing.begin() + static_cast<std::ptrdiff_t>(i));
    CHECK(folder.damage(missing).code() == ExitCode::kBadData);
    auto twice = lines;
    twice.insert(twice.begin() + static_cast<std::ptrdiff_t>(i), lines[i]);
    CHECK(folder.damage(twice).code() == ExitCode::kBadData);
    auto swapped = lines;
    std::swap(swapped[i], swapped[(i + 1) % lines.size()]);
    CHECK(folder.damage(swapped).code() == ExitCode::kBadData);
  }
  CHECK(folder.damage(lines, "").code() == ExitCode::kBadData);
  CHECK(folder.damage({}).code() == ExitCode::kBadData);
  // Each line is whole, and they are not of one index.
  folder.index_of(mixed_records(3 * kStretch));
  auto mixed = folder.lines();
  mixed.back() = lines.back();
  CHECK(folder.damage(mixed).code() == ExitCode::kBadData);
}

TEST_CASE("a later index is refused by name", "[index]") {
  InputFolder folder;
  folder.index_of(mixed_records(3));
  auto lines = folder.lines();
  std::string body = lines[0].substr(26);
  body.replace(body.find("\"version\":1"), 11, "\"version\":9");
  RunningHash64 hash;
  hash.add("");
  hash.add(body);
  const Error error = folder.damage({"{\"crc\":\"" + to_hex(hash.value()) + "\"," + body});
  CHECK(error.code() == ExitCode::kMismatch);
  CHECK(std::string(error.what()).find("version 9") != std::string::npos);
}

TEST_CASE("by an index each shard has what it has by reading everything", "[index]") {
  const std::uint64_t records = GENERATE(1U, 8U, 9U, 61U, 200U);
  const std::uint64_t shards = GENERATE(1U, 2U, 3U, 30U);
  const bool seeks = GENERATE(true, false);
  const std::uint64_t per_file = GENERATE(0U, 20U);
  CAPTURE(records, shards, seeks, per_file);
  InputFolder folder;
  const std::vector<Record> all = mixed_records(records);
  const InputIndex index = folder.index_of(all, per_file);
  InputDigest sum;
  for (std::uint64_t shard = 1; shard <= shards; ++shard) {
    Shards scene{index, all, ShardBlocks(shard, shards, kStretch), seeks, per_file};
    const auto indexed = scene.indexed();
    const auto plain = scene.plain();
    CHECK(indexed->progress().records_total == scene.own.count_of(records));
    std::uint64_t given = 0;
    for (;;) {
      const auto expected = plain->next();
      const auto record = indexed->next();
      REQUIRE(record.has_value() == expected.has_value());
      if (!record) {
        break;
      }
      ++given;
      REQUIRE(record->position == expected->position);
      REQUIRE(record->row == expected->row);
      REQUIRE(record->payload == expected->payload);
      check_same(indexed->position(), plain->position());
    }
    check_same(indexed->position(), plain->position());
    CHECK(indexed->position().left_out == plain->position().left_out);
    CHECK(indexed->read_to(DigestedReader::kEnd) == records);
    sum.add(indexed->position().selected);
    if (seeks) {
      CHECK(scene.read <= given + 1);  // and one look behind the last record
      CHECK(scene.log.lines.empty());
    } else {
      CHECK(scene.read <= records + 1);
    }
  }
  CHECK(sum.value().content == index.digest);
}

TEST_CASE("files that cannot be entered are entered at their beginnings", "[index]") {
  InputFolder folder;
  const std::vector<Record> all = mixed_records(400);
  const InputIndex index = folder.index_of(all, 100);
  Shards scene{index, all, ShardBlocks(50, 50, kStretch), false, 100};  // the last stretch alone
  const auto reader = scene.indexed();
  while (reader->next()) {
  }
  CHECK(scene.read < 110);
  REQUIRE(scene.log.lines.size() == 1);
  CHECK(scene.log.lines[0].second.find("read through") != std::string::npos);
}

TEST_CASE("a shard by an index goes on from anywhere, however often it is killed", "[index]") {
  const unsigned seed = GENERATE(range(0U, 40U));
  const bool seeks = GENERATE(true, false);
  std::mt19937 random(seed);
  const std::uint64_t records = 1 + random() % 150;
  const std::uint64_t shards = 1 + random() % 4;
  CAPTURE(seed, records, shards);
  InputFolder folder;
  const std::vector<Record> all = mixed_records(records);
  const InputIndex index = folder.index_of(all);
  Shards scene{index, all, ShardBlocks(1 + random() % shards, shards, kStretch), seeks};
  Given expected;
  const auto plain = scene.plain();
  while (const auto record = plain->next()) {
    expected.emplace_back(record->position, record->row);
  }
  Given given;
  InputPosition committed;
  for (int session = 0;; ++session) {
    REQUIRE(session < 10000);
    const auto reader = scene.indexed();
    if (committed.position > 0 && !reader->seek(committed)) {
      REQUIRE_FALSE(seeks);
      REQUIRE(reader->read_to(committed.position) == committed.position);
    }
    if (committed.position > 0) {
      check_same(reader->position(), committed);
    }
    given.resize(committed.row);
    bool ended = false;
    for (std::uint64_t left = random() % (records / 4 + 2); left > 0 && !ended; --left) {
      const auto record = reader->next();
      ended = !record;
      if (record) {
        given.emplace_back(record->position, record->row);
      }
      if (random() % 3 == 0) {
        committed = reader->position();
      }
    }
    if (ended) {
      check_same(reader->position(), plain->position());
      break;
    }
  }
  CHECK(given == expected);
}

TEST_CASE("of another input than was indexed nothing is given out", "[index]") {
  const bool seeks = GENERATE(true, false);
  InputFolder folder;
  const std::vector<Record> all = mixed_records(5 * kStretch + 3);
  const InputIndex index = folder.index_of(all);
  const auto with = [&](auto change) {
    std::vector<Record> other = all;
    change(other);
    return other;
  };
  const auto refused = [&](const std::vector<Record>& other, std::uint64_t shard) {
    Shards scene{index, other, ShardBlocks(shard, 2, kStretch), seeks};
    const auto reader = scene.indexed();
    std::set<std::uint64_t> given;
    try {
      while (const auto record = reader->next()) {
        given.insert(record->position / kStretch);
      }
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::kMismatch);
      CHECK(std::string(error.what()).find("OUT/index.jsonl is of another input") == 0);
      CHECK_FALSE(given.contains(2));
      return std::string(error.what());
    }
    return std::string();
  };
  const auto changed = with([](auto& other) { other[2 * kStretch + 7].payload += "A"; });
  CHECK(refused(changed, 1).find("records 16 to 23") != std::string::npos);
  if (seeks) {
    CHECK(refused(changed, 2).empty());  // it never sees them
  } else {
    CHECK(refused(changed, 2).find("records 16 to 23") != std::string::npos);
  }
  const auto id = with([](auto& other) { other[2 * kStretch].id = "x"; });
  CHECK(refused(id, 1).find("records 16 to 23") != std::string::npos);
  const auto shorter = with([](auto& other) { other.resize(2 * kStretch + 1); });
  CHECK(refused(shorter, 1).find("ends after 17 records, it has 43") != std::string::npos);
  const auto longer =
      with([](auto& other) { other.push_back(sequence_record(5 * kStretch + 3, "AC")); });
  Shards last{index, longer, ShardBlocks(2, 2, kStretch), seeks};
  const Error more = failure(*last.indexed());
  CHECK(more.code() == ExitCode::kMismatch);
  CHECK(std::string(more.what()).find("goes on with r43") != std::string::npos);
  CHECK(refused(all, 1).empty());
  CHECK(refused(all, 2).empty());
}

TEST_CASE("indexing stops when it is asked to", "[index]") {
  InputFolder folder;
  VectorReader input(mixed_records(100));
  const auto file = folder.files->open(folder.in("index"), OpenMode::kCreate);
  const auto stop = [](std::uint64_t records) {
    if (records >= 16) {
      throw Error(ExitCode::kInterrupted, "stopped");
    }
  };
  CHECK_THROWS_AS(write_index(input, {kStretch, false, {}, {}}, *file, stop,
                              [] { return std::vector<std::string>(); }),
                  Error);
  CHECK(input.position().position == 16);
}
