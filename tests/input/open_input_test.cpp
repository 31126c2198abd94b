#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <functional>
#include <thread>

#include "input_helpers.hpp"

using namespace longhaul;
using namespace longhaul::input;
using namespace longhaul::input::test;

namespace {

using Lines = std::vector<std::string>;

InputSettings settings_for(std::vector<std::string> inputs) {
  InputSettings settings;
  settings.inputs = std::move(inputs);
  return settings;
}

std::string numbered(std::size_t records) {
  std::string text = "id,sequence\n";
  for (std::size_t i = 0; i < records; ++i) {
    text += "r" + std::to_string(i) + ",MKLV" + std::string(i % 7, 'W') + "\n";
  }
  return text;
}

std::string shown_fully(const Record& record) {
  return std::to_string(record.position) + " " + record.source + " " + shown(record);
}

Lines shown_all(RecordReader& reader) {
  Lines all;
  for (const Record& record : drain(reader)) {
    all.push_back(shown_fully(record));
  }
  return all;
}

int code_of_opening(const InputSettings& settings) {
  return thrown_by([&] { open_input(settings); }).code;
}

}  // namespace

TEST_CASE("progress is that of the records given out, whatever is read ahead") {
  const TemporaryFolder folder;
  std::string text = "id,sequence\n";
  std::vector<std::uint64_t> behind;
  for (std::size_t i = 0; i < 3000; ++i) {
    text += "r" + std::to_string(i) + "," + std::string(1 + i % 200, 'M') + "\n";
    behind.push_back(text.size());
  }
  const auto first = folder.write("a.csv", text);
  auto reader = open_input(settings_for({first, folder.write("b.csv", text)}));
  for (std::size_t i = 0; i < 2 * behind.size(); ++i) {
    REQUIRE(reader->next());
    const std::uint64_t begin = i < behind.size() ? 0 : text.size();
    INFO(i);
    REQUIRE(reader->progress().bytes_read == begin + behind[i % behind.size()]);
  }
}

TEST_CASE("a folder of images is no input of a model of sequences, whose names would be embedded") {
  const TemporaryFolder folder;
  folder.write("ACD.jpg", "no picture");
  InputSettings settings = settings_for({folder.path("")});
  settings.format = InputFormat::kImages;
  const auto error = thrown_by([&] { open_input(settings); });
  CHECK(error.code == 2);
  CHECK(error.says("this model takes sequences"));
}

TEST_CASE("several inputs are one row of records, each with its own line and source") {
  const TemporaryFolder folder;
  const auto csv = folder.write("a.csv", "id,sequence\na,MK\nb,\n");
  const auto fasta = folder.write("b.fa", ">c d\nLV\n");
  const auto json = folder.write("c.jsonl", "{\"seq\": \"WW\"}\n");
  const auto tsv = folder.write("d.tsv", "vh_sequence\nGG\n");
  auto reader = open_input(settings_for({csv, fasta, json, tsv}));
  CHECK(shown_all(*reader) == Lines{"0 " + csv + " a|MK @2:12", "1 " + csv + " b| !empty @3:17",
                                    "2 " + fasta + " c|LV @1:0", "3 " + json + " 3|WW @1:0",
                                    "4 " + tsv + " 4|GG @2:12"});
  CHECK_FALSE(reader->next());
  CHECK_FALSE(reader->next());
  const auto progress = reader->progress();
  CHECK(progress.bytes_read == progress.bytes_total);
  CHECK_FALSE(progress.records_total);
  const auto sources = reader->sources();
  REQUIRE(sources.size() == 4);
  CHECK(sources[1].path == fasta);
  CHECK(sources[1].size == 8);
  CHECK(sources[1].regular);
  CHECK(sources[1].inode != 0);
  CHECK(sources[1].modified_ns != 0);
}

TEST_CASE("folders are walked depth first in bytewise order, over links that go round") {
  const TemporaryFolder folder;
  for (const std::string name :
       {"in/b.fasta", "in/B.FA", "in/a/z.fasta", "in/a.fasta", "in/a/y/x.faa", "in/notes.txt",
        "in/.hidden.fasta", "in/c.csv", "in/d.pep"}) {
    folder.write(name, name.back() == 'v' ? "seq\nWW\n" : ">x\nMK\n");
  }
  std::filesystem::create_directory_symlink(folder.path("in"), folder.path("in/a/up"));
  auto reader = open_input(settings_for({folder.path("in")}));
  Lines order;
  for (const Record& record : drain(*reader)) {
    order.push_back(record.source.substr(folder.path("in/").size()));
  }
  CHECK(order == Lines{"B.FA", "a/y/x.faa", "a/z.fasta", "a.fasta", "b.fasta", "c.csv", "d.pep"});
  InputSettings settings = settings_for({folder.path("in")});
  settings.format = InputFormat::kCsv;
  CHECK(drain(*open_input(settings)).size() == 1);
  settings.format = InputFormat::kTsv;
  CHECK(thrown_by([&] { open_input(settings); }).says("holds no tsv files"));
  std::filesystem::create_directory(folder.path("none"));
  CHECK(code_of_opening(settings_for({folder.path("none")})) == 65);
}

TEST_CASE("--files-from gives inputs as text, or as CSV with values for all their records") {
  const TemporaryFolder folder;
  const auto a = folder.write("a.csv", "sequence,label\nMK,own\nLV,\n");
  const auto b = folder.write("b,b.fasta", ">x y\nWW\n");
  InputSettings settings;
  settings.files_from = folder.write("list.txt", a + "\n\n" + b + "\r\n");
  CHECK(drain(*open_input(settings)).size() == 3);
  settings.files_from =
      folder.write("list.csv", "set,path,label\ntrain," + a + ",1\ntest,\"" + b + "\",2\n");
  settings.keep_columns = {"label", "set"};
  auto reader = open_input(settings);
  CHECK(reader->kept_columns() == Lines{"label", "set"});
  CHECK(shown_all(*reader) == Lines{"0 " + a + " 0|MK|own|train @2:15",
                                    "1 " + a + " 1|LV||train @3:22",
                                    "2 " + b + " x|WW|2|test @1:0"});
  settings.keep_columns = {"other"};
  CHECK(code_of_opening(settings) == 2);
  settings.keep_columns = {};
  settings.files_from = folder.write("short.csv", "path,x\n" + a + "\n");
  CHECK(thrown_by([&] { open_input(settings); }).says("short.csv, line 2"));
  // A file that is not there is not one record that is missing: nothing is begun without it.
  settings.files_from = folder.write("gone.csv", "id,path\nx," + a + "\ny,gone.fasta\n");
  const auto gone = thrown_by([&] { open_input(settings); });
  CHECK((gone.code == 74 && gone.says("gone.csv, line 3") && gone.says("gone.fasta")));
  settings.files_from = folder.write("blank.csv", "id,path\nx,\n");
  CHECK(thrown_by([&] { open_input(settings); }).says("blank.csv, line 2: the path is empty"));
  settings.files_from = folder.write("nopath.csv", "file\n" + a + "\n");
  CHECK(thrown_by([&] { open_input(settings); }).says("'path'"));
  settings.files_from = folder.path("absent.txt");
  CHECK(code_of_opening(settings) == 74);
}

TEST_CASE("inputs that are not there, empty or of no known format are said so") {
  const TemporaryFolder folder;
  CHECK(code_of_opening(settings_for({})) == 2);
  const auto absent = thrown_by([&] { open_input(settings_for({folder.path("absent.csv")})); });
  CHECK(absent.code == 74);
  CHECK(absent.says("absent.csv"));
  CHECK(absent.says("No such file"));
  CHECK(code_of_opening(settings_for({folder.write("empty.csv", "")})) == 65);
  CHECK(code_of_opening(settings_for({folder.write("header.csv", "id,seq\n")})) == 65);
  CHECK(code_of_opening(settings_for({folder.write("blank.fasta", "\n")})) == 65);
  CHECK(code_of_opening(settings_for({folder.write("x.txt", "MKLV\nEVQL\n")})) == 2);
  CHECK(thrown_by([&] { open_input(settings_for({folder.path("x.txt")})); }).says("--format"));
  InputSettings settings = settings_for({folder.write("y.txt", "aa\nMK\n")});
  CHECK(code_of_opening(settings) == 2);
  settings.sequence_column = "aa";
  settings.format = InputFormat::kCsv;
  CHECK(drain(*open_input(settings)).size() == 1);
  settings = settings_for({});
  settings.inputs = {"-", "-"};
  CHECK(thrown_by([&] { open_input(settings); }).says("twice"));
  // A header alone is no error where other inputs hold records.
  CHECK(drain(*open_input(
                  settings_for({folder.path("header.csv"), folder.write("one.csv", "seq\nMK\n")})))
            .size() == 1);
}

TEST_CASE("a wrong column in the last input is said before the first is read") {
  const TemporaryFolder folder;
  const auto good = folder.write("a.csv", numbered(5000));
  const auto bad = folder.write("b.csv", "id,Protein\na,MK\n");
  const auto error = thrown_by([&] { open_input(settings_for({good, bad})); });
  CHECK(error.code == 65);
  CHECK(error.says("b.csv"));
}

TEST_CASE("a build without Arrow says what it cannot read") {
  const TemporaryFolder folder;
  for (const std::string name : {"a.csv.gz", "a.fasta.zst", "a.parquet"}) {
    const std::string bytes = name.back() == 'z' ? "\x1f\x8b\x08 more" : "\x28\xb5\x2f\xfd more";
    const auto error = thrown_by([&] { open_input(settings_for({folder.write(name, bytes)})); });
    CHECK(error.code == 69);
    CHECK(error.says(name));
    CHECK(error.says("Arrow"));
  }
  InputSettings settings = settings_for({folder.write("a.parquet", "x")});
  settings.skip_lines = 1;
  CHECK(code_of_opening(settings) == 2);
}

TEST_CASE("input that looks like nucleotides is refused unless it is allowed") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& name, const std::string& text) {
    const auto error = thrown_by([&] { open_input(settings_for({folder.write(name, text)})); });
    return error.code == 65 && error.says("--allow-nucleotides");
  };
  CHECK(refused("dna.fasta", ">a\nACGTACGTNN\n>b\nacgt\n"));
  CHECK(refused("rna.csv", "seq\nACGUACGU\n"));
  CHECK_FALSE(refused("short.csv", "seq\nAC\n"));  // of so few letters nothing can be told
  CHECK_FALSE(refused("protein.csv", "seq\nEVQLVESGGG\n"));
  CHECK(refused("edge.csv", "seq\n" + std::string(95, 'A') + "MKLVW\n"));
  CHECK_FALSE(refused("below.csv", "seq\n" + std::string(94, 'A') + "MKLVWY\n"));
  CHECK(refused("gaps.csv", "seq\nACGT---ACGT***\n"));
  // Only the first thousand records count, and defects do not.
  std::string late = "seq\n";
  for (int i = 0; i < 1000; ++i) {
    late += "ACGT\n";
  }
  CHECK(refused("late.csv", late + std::string(100000, 'W') + "\n"));
  CHECK_FALSE(refused("early.csv", "seq\n" + std::string(100000, 'W') + "\n" + late.substr(4)));
  InputSettings settings = settings_for({folder.path("dna.fasta")});
  settings.allow_nucleotides = true;
  CHECK(drain(*open_input(settings)).size() == 2);
}

TEST_CASE("reading goes on from every position as if it had not stopped") {
  const TemporaryFolder folder;
  const auto csv = folder.write("a.csv", numbered(1500));
  const auto header = folder.write("h.csv", "id,sequence\n");
  const auto fasta = folder.write("b.fasta", ">x\nMK\nLV\n>y\n\n>z\nWW\n");
  const auto json = folder.write("c.jsonl", "{\"seq\": \"WW\"}\n{\n{\"seq\": \"MM\"}\n");
  InputSettings settings = settings_for({csv, header, fasta, json});
  settings.block_bytes = 512;
  auto whole = open_input(settings);
  const Lines all = shown_all(*whole);
  REQUIRE(all.size() == 1506);
  auto reader = open_input(settings);
  for (std::size_t done = 0; done <= all.size(); ++done) {
    // Every position near a seam, and some between.
    if (done % 97 == 0 || done > 1490 || (done > 995 && done < 1005)) {
      const InputPosition position = reader->position();
      CAPTURE(done, position.cursor);
      CHECK(position.position == done);
      auto other = open_input(settings);
      other->next();
      REQUIRE(other->seek(position));
      CHECK(other->position().position == done);
      const Lines rest = shown_all(*other);
      CHECK(rest == Lines(all.begin() + static_cast<std::ptrdiff_t>(done), all.end()));
      CHECK(other->progress().bytes_read == other->progress().bytes_total);
      REQUIRE(other->seek({0, 0, "source=0 byte=0 line=0"}));
      const auto first = other->next();
      REQUIRE(first);
      CHECK(shown_fully(*first) == all.front());
    }
    reader->next();
  }
}

TEST_CASE("a position of another input is refused, and nothing moves") {
  const TemporaryFolder folder;
  auto reader = open_input(settings_for({folder.write("a.csv", numbered(5))}));
  reader->next();
  for (const std::string cursor :
       {"", "source=0", "source=2 byte=0 line=0", "source=0 byte=99999 line=9",
        "source=0 byte=-1 line=2", "source=0 byte=12 line=2 ", "row=7"}) {
    CAPTURE(cursor);
    CHECK_FALSE(reader->seek({3, 3, cursor}));
  }
  CHECK(reader->next()->id == "r1");
}

TEST_CASE("a stream is read once, in order, and cannot be entered in the middle") {
  const TemporaryFolder folder;
  const std::string pipe = folder.path("pipe");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  InputSettings settings = settings_for({pipe, folder.write("b.csv", numbered(3))});
  settings.format = InputFormat::kCsv;
  std::thread writer([&] { std::ofstream(pipe) << numbered(2500); });
  auto reader = open_input(settings);
  const InputPosition start = reader->position();
  CHECK(reader->seek(start));  // nothing was given out yet
  for (int i = 0; i < 1200; ++i) {
    reader->next();
  }
  const InputPosition middle = reader->position();
  CHECK(reader->seek(middle));
  CHECK_FALSE(reader->seek(start));
  CHECK(drain(*reader).size() == 2503 - 1200);
  writer.join();
  CHECK_FALSE(reader->progress().bytes_total);
  CHECK_FALSE(reader->sources().front().regular);
  // Nor can what comes after it: whether it is the same stream cannot be seen.
  CHECK_FALSE(reader->seek({2500, 2500, "source=1 byte=12 line=2"}));
}

TEST_CASE("a wait on a stream ends when the run is stopped") {
  const TemporaryFolder folder;
  const std::string pipe = folder.path("pipe");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::atomic<bool> stop = false;
  InputSettings settings = settings_for({pipe});
  settings.format = InputFormat::kCsv;
  settings.stop = [&] { return stop.load(); };
  // Kept open and silent, as a program upstream that hangs.
  const int held = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC);
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    stop = true;
  });
  CHECK(code_of_opening(settings) == 75);
  stopper.join();
  ::close(held);
}

TEST_CASE("an input that changes while it is read is an I/O error with its path") {
  const TemporaryFolder folder;
  const auto changed = [&](const std::function<void(const std::string&)>& change) {
    const auto path = folder.write("a.csv", numbered(200000));
    InputSettings settings = settings_for({path});
    settings.block_bytes = 4096;
    auto reader = open_input(settings);
    change(path);
    return thrown_by([&] { drain(*reader); });
  };
  const auto shorter =
      changed([](const std::string& path) { std::filesystem::resize_file(path, 100000); });
  CHECK(shorter.code == 74);
  CHECK(shorter.says("a.csv changed while it was read: it ended at byte 100000"));
  const auto longer =
      changed([](const std::string& path) { std::ofstream(path, std::ios::app) << "late,MK\n"; });
  CHECK(longer.code == 74);
  const auto rewritten = changed([](const std::string& path) {
    std::fstream(path, std::ios::in | std::ios::out) << "ID";
    std::filesystem::last_write_time(
        path, std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  });
  CHECK(rewritten.code == 74);
  const auto same = changed([](const std::string&) {});
  CHECK(same.code == 0);

  const auto first = folder.write("first.csv", numbered(1100));
  const auto second = folder.write("second.csv", numbered(10));
  auto reader = open_input(settings_for({first, second}));
  folder.write("second.csv", numbered(11));
  const auto later = thrown_by([&] { drain(*reader); });
  CHECK(later.code == 74);
  CHECK(later.says("second.csv changed after the run began"));
}

#ifdef __linux__
TEST_CASE("a failing read names the file and the byte") {
  // The first page of a process is mapped nowhere: reading it is a genuine EIO.
  auto source = open_byte_source("/proc/self/mem");
  std::vector<char> buffer(16);
  const auto error = thrown_by([&] { source->read(buffer); });
  CHECK(error.code == 74);
  CHECK(error.says("reading /proc/self/mem failed at byte 0: Input/output error"));
}
#endif

TEST_CASE("links that lead nowhere are named, and pipes in folders are left alone") {
  const TemporaryFolder folder;
  folder.write("in/a.fasta", ">a\nMK\n");
  REQUIRE(::mkfifo(folder.path("in/b.fasta").c_str(), 0600) == 0);
  CHECK(drain(*open_input(settings_for({folder.path("in")}))).size() == 1);
  std::filesystem::create_symlink("absent", folder.path("in/c.fasta"));
  const auto error = thrown_by([&] { open_input(settings_for({folder.path("in")})); });
  CHECK(error.code == 74);
  CHECK(error.says("in/c.fasta"));
}
