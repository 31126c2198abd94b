// Sinks by themselves, under every fault: a small owner with a journal places windows, puts rows in
// an order of its own, commits, and continues after a kill. The same owner for both kinds of rows.
#include "store/array_sink.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "fakes/fault_files.hpp"
#include "store/array_reader.hpp"
#include "store/journal.hpp"
#include "store/store_layout.hpp"

using namespace longhaul;
using namespace longhaul::store;
using namespace longhaul::fakes;

namespace {

constexpr std::uint64_t kRows = 23;
constexpr std::uint64_t kWindow = 7;
constexpr std::uint32_t kDimension = 3;
constexpr std::uint64_t kFar = 1U << 20;

OutputSpec spec(ArrayKind kind, OutputDtype dtype = OutputDtype::kFp32) {
  return {kind == ArrayKind::kTokens ? "tokens" : "embeddings", kind, kDimension, dtype};
}

// Rows of no residues among them, also at the ends of windows.
std::uint32_t length_of(std::uint64_t row) {
  return row % 5 == 0 || row == kWindow - 1 ? 0 : static_cast<std::uint32_t>(row * 7 % 11);
}

std::vector<float> values_of(ArrayKind kind, std::uint64_t row) {
  std::vector<float> values(kDimension * (kind == ArrayKind::kTokens ? length_of(row) : 1));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] =
        static_cast<float>(hash64(std::to_string(row) + "/" + std::to_string(i)) % 4001) - 2000.0F;
  }
  return values;
}

bool is_late_reject(std::uint64_t row) {
  return row % 6 == 4;
}

std::vector<std::uint32_t> lengths(std::uint64_t first, std::uint64_t end) {
  std::vector<std::uint32_t> all;
  for (std::uint64_t row = first; row < end; ++row) {
    all.push_back(length_of(row));
  }
  return all;
}

struct Done {
  std::uint64_t start = 0;     // of the window in hand
  std::uint64_t position = 0;  // rows of its order that are put
  ArrayClaim claim;
  bool finished = false;
};

class Owner {
 public:
  Owner(Files& files, const OutputSpec& output) : files_(files), output_(output) {
    if (files.kind("out") != PathKind::kDirectory) {
      files.make_directory("out");
    }
    JournalEnd end;
    const auto file = files.open("out/journal", OpenMode::kCreate);
    end = scan_journal(*file, "out/journal", [&](const JournalLine& line) {
      const auto fields = nlohmann::json::parse(line.text);
      done_ = {fields.at("start"),
               fields.at("position"),
               {fields.at("rows"), fields.at("vectors")},
               line.kind == "finish"};
    });
    files.sync_directory("out");
    journal_ = std::make_unique<Journal>(files.open("out/journal", OpenMode::kCreate), end);
  }

  const Done& done() const { return done_; }

  void run() {
    if (done_.finished) {
      return;
    }
    open();
    while (done_.start < kRows) {
      window();
    }
    commit("commit");
    sink_->finish(kRows);
    commit("finish");
    done_.finished = true;
  }

 private:
  void open() {
    const auto create = [&](const std::string& name) {
      return files_.open("out/" + name, OpenMode::kCreate);
    };
    if (output_.kind == ArrayKind::kTokens) {
      sink_ = std::make_unique<RaggedRows>(output_, create(array_file(output_)),
                                           create(offsets_file(output_)), done_.claim);
    } else {
      sink_ = std::make_unique<FixedRows>(output_, create(array_file(output_)), done_.claim);
    }
    files_.sync_directory("out");
  }

  // The last rows of a window first.
  void window() {
    const std::uint64_t end = std::min(done_.start + kWindow, kRows);
    sink_->place(done_.start, lengths(done_.start, end));
    while (done_.position < end - done_.start) {
      const std::uint64_t row = end - 1 - done_.position;
      if (is_late_reject(row)) {
        sink_->put_nan(row);
      } else {
        REQUIRE(sink_->put(row, values_of(output_.kind, row)));
      }
      ++done_.position;
      if (row % 3 == 0) {
        commit("commit");
      }
    }
    done_.start = end;
    done_.position = 0;
  }

  void commit(const char* kind) {
    sink_->sync();
    done_.claim = sink_->claim(kRows);
    journal_->append(kind, {{"start", done_.start},
                            {"position", done_.position},
                            {"rows", done_.claim.rows},
                            {"vectors", done_.claim.vectors}});
  }

  Files& files_;
  OutputSpec output_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<ArraySink> sink_;
  Done done_;
};

std::map<std::string, std::string> arrays(FaultFiles& files) {
  std::map<std::string, std::string> all;
  for (const std::string& name : files.list("out")) {
    if (name != "journal") {
      all[name] = files.content("out/" + name);
    }
  }
  return all;
}

void write_whole(Files& files, const OutputSpec& output) {
  Owner(files, output).run();
}

const std::vector<OutputSpec> kAll{
    spec(ArrayKind::kVector), spec(ArrayKind::kVector, OutputDtype::kFp16),
    spec(ArrayKind::kTokens), spec(ArrayKind::kTokens, OutputDtype::kFp16)};

}  // namespace

TEST_CASE("a sink's rows are read back, each where its lengths put it") {
  for (const OutputSpec& output : kAll) {
    FaultFiles files;
    write_whole(files, output);
    ArrayReader array(files, output,
                      {"out/" + array_file(output), "out/" + offsets_file(output), ""});
    CHECK_NOTHROW(array.require_header(kRows));
    for (std::uint64_t row = 0; row < kRows; ++row) {
      const auto found = array.row(row);
      if (is_late_reject(row)) {
        CHECK(found.size() == values_of(output.kind, row).size());
        CHECK(std::all_of(found.begin(), found.end(), [](float x) { return std::isnan(x); }));
      } else {
        CHECK(std::vector<float>(found.begin(), found.end()) == values_of(output.kind, row));
      }
    }
  }
}

TEST_CASE("a sink that is stopped at any operation ends with the same bytes") {
  for (const OutputSpec& output : kAll) {
    FaultFiles whole;
    write_whole(whole, output);
    const auto expected = arrays(whole);
    std::uint64_t fired = 0;
    for (const Fault fault : {Fault::kErrorOnce, Fault::kErrorAlways, Fault::kDiskFull,
                              Fault::kPowerLoss, Fault::kPowerLossMid}) {
      bool reached_end = false;
      for (std::uint64_t n = 0; !reached_end; ++n) {
        for (const Survival survival :
             {Survival::kNothing, Survival::kEverything, Survival::kNamesOnly, Survival::kDataOnly,
              Survival::kRandom, Survival::kRandom, Survival::kRandom}) {
          FaultFiles files;
          files.arm(fault, n);
          const bool done = survives([&] { write_whole(files, output); });
          if (files.fired() == 0) {
            reached_end = true;
            break;
          }
          ++fired;
          INFO(output.name << ", operation " << n << ": " << files.trace().at(n));
          CHECK_FALSE(done);
          files.restart(survival, static_cast<unsigned>(fired));
          REQUIRE_NOTHROW(write_whole(files, output));
          REQUIRE(arrays(files) == expected);
        }
      }
    }
    CHECK(fired > 1000);
    WARN(output.name << ": stopped " << fired << " times");
  }
}

TEST_CASE("stopped again and again, a sink still ends with the same bytes") {
  for (const OutputSpec& output : kAll) {
    FaultFiles whole;
    write_whole(whole, output);
    const auto expected = arrays(whole);
    std::uint64_t stops = 0;
    for (unsigned seed = 0; seed < 60; ++seed) {
      std::mt19937 random(seed);
      FaultFiles files;
      for (bool done = false; !done;) {
        files.arm(random() % 3 == 0 ? Fault::kPowerLossMid : Fault::kPowerLoss, random() % 40);
        done = survives([&] { write_whole(files, output); });
        stops += files.fired();
        files.restart(static_cast<Survival>(random() % 5), static_cast<unsigned>(random()));
      }
      REQUIRE_NOTHROW(write_whole(files, output));
      REQUIRE(arrays(files) == expected);
    }
    CHECK(stops > 60);
  }
}

namespace {

struct Ragged {
  FaultFiles files;
  OutputSpec output = spec(ArrayKind::kTokens);
  Ragged() { files.make_directory("out"); }
  RaggedRows open(const ArrayClaim& claim) {
    return {output, files.open("out/tokens.npy", OpenMode::kCreate),
            files.open("out/token_offsets.npy", OpenMode::kCreate), claim};
  }
};

}  // namespace

TEST_CASE("a window of residues may only be placed again as it was") {
  Ragged at;
  ArrayClaim claim;
  {
    RaggedRows rows = at.open({});
    rows.place(0, std::vector<std::uint32_t>{2, 0, 1});
    REQUIRE(rows.put(2, std::vector<float>(3, 1.0F)));
    rows.sync();
    claim = rows.claim(3);
    CHECK(rows.claim(1) == ArrayClaim{1, 2});
  }
  CHECK(claim == ArrayClaim{3, 3});
  RaggedRows rows = at.open(claim);
  CHECK_THROWS_WITH(rows.place(0, std::vector<std::uint32_t>{2, 1, 0}),
                    Catch::Contains("the input has changed"));
  CHECK_THROWS_AS(rows.place(0, std::vector<std::uint32_t>{2}), Error);
  CHECK_THROWS_AS(rows.place(4, std::vector<std::uint32_t>{2}), Error);
  CHECK_NOTHROW(rows.place(0, std::vector<std::uint32_t>{2, 0, 1}));
  CHECK_NOTHROW(rows.place(3, std::vector<std::uint32_t>{5}));
  CHECK_THROWS_WITH(rows.put(4, std::vector<float>(3)), Catch::Contains("has no place"));
  CHECK_THROWS_WITH(rows.put(3, std::vector<float>(3)),
                    Catch::Contains("numbers for the 5 vectors"));
  CHECK_FALSE(rows.put(3, std::vector<float>(15, INFINITY)));
}

TEST_CASE("a window that is forgotten is placed anew, in other lengths") {
  Ragged at;
  RaggedRows rows = at.open({});
  rows.place(0, std::vector<std::uint32_t>{1, 2});
  REQUIRE(rows.put(0, std::vector<float>(3, 1.0F)));
  REQUIRE(rows.put(1, std::vector<float>(6, 2.0F)));
  rows.place(2, std::vector<std::uint32_t>{4});
  REQUIRE(rows.put(2, std::vector<float>(12, 3.0F)));
  rows.sync();
  rows.forget(2);
  rows.sync();
  CHECK(rows.claim(9) == ArrayClaim{2, 3});
  rows.cut();
  CHECK(at.files.content("out/tokens.npy").size() == 128 + 3 * 12);
  CHECK(at.files.content("out/token_offsets.npy").size() == 128 + 3 * 8);
  rows.place(2, std::vector<std::uint32_t>{1});
  REQUIRE(rows.put(2, std::vector<float>(3, 4.0F)));
  rows.finish(3);
  ArrayReader array(at.files, at.output, {"out/tokens.npy", "out/token_offsets.npy", ""});
  CHECK_NOTHROW(array.require_header(3));
  CHECK(array.row(2)[0] == 4.0F);
  CHECK(array.first_vector(3) == 4);
}

TEST_CASE("offsets that say less than the journal claims are damage") {
  Ragged at;
  {
    RaggedRows rows = at.open({});
    rows.place(0, std::vector<std::uint32_t>{2});
    REQUIRE(rows.put(0, std::vector<float>(6)));
    rows.sync();
  }
  CHECK_THROWS_WITH(at.open({1, 7}), Catch::Contains("the journal claims 7"));
  CHECK_THROWS_WITH(at.open({9, 2}), Catch::Contains("do not say where row 9 begins"));
}

TEST_CASE("a row that is put again replaces itself, before and after it is written") {
  for (const OutputSpec& output : {spec(ArrayKind::kVector), spec(ArrayKind::kTokens)}) {
    FaultFiles files;
    files.make_directory("out");
    std::unique_ptr<ArraySink> sink;
    if (output.kind == ArrayKind::kVector) {
      sink =
          std::make_unique<FixedRows>(output, files.open("out/a", OpenMode::kCreate), ArrayClaim{});
    } else {
      sink = std::make_unique<RaggedRows>(output, files.open("out/a", OpenMode::kCreate),
                                          files.open("out/b", OpenMode::kCreate), ArrayClaim{});
    }
    sink->place(0, std::vector<std::uint32_t>{1});
    for (const float value : {1.0F, 2.0F, 3.0F}) {
      const std::vector<float> values(3, value);
      const auto stored = sink->put(0, values);
      REQUIRE(stored);
      CHECK(hash64(*stored) == hash64(std::as_bytes(std::span(values))));
      if (value == 2.0F) {
        sink->sync();
      }
      CHECK(hash64(sink->get(0)) == hash64(std::as_bytes(std::span(values))));
    }
  }
}
