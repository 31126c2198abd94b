// What a source is by its content: formats without a name, compression, and what a run says of it.
#include <catch2/catch.hpp>

#include "fakes/recording_log.hpp"
#include "input_helpers.hpp"

using namespace longhaul;
using namespace longhaul::fakes;
using namespace longhaul::input;
using namespace longhaul::input::test;

namespace {

InputSettings content_settings(std::vector<std::string> inputs) {
  InputSettings settings;
  settings.inputs = std::move(inputs);
  return settings;
}

bool says(const RecordingLog& log, const std::string& part) {
  return std::any_of(log.lines.begin(), log.lines.end(),
                     [&](const auto& line) { return line.second.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("where the name is silent what is in a file says its format") {
  const TemporaryFolder folder;
  RecordingLog log;
  const auto lines = [&](const std::string& name, const std::string& text) {
    InputSettings settings = content_settings({folder.write(name, text)});
    settings.log = &log;
    return drain(*open_input(settings)).size();
  };
  CHECK(lines("a.pep", ">a\nMK\n>b\nLV\n") == 2);
  CHECK(says(log, "a.pep: read as fasta, by its first line"));
  CHECK(lines("b", ";note\n\n>a\nMK\n") == 1);
  CHECK(lines("c.txt", "\xef\xbb\xbf{\"seq\": \"MK\"}\n{\"seq\": \"LV\"}\n") == 2);
  CHECK(lines("d.txt", "# made by\n\nid,sequence\na,MK\n") == 1);
  CHECK(lines("e.txt", "id\tsequence\na\t\"MK\nb\tLV\n") == 2);
  CHECK(lines("f.txt", "sep=;\nid;sequence\na;MK\n") == 1);
  CHECK(lines("g.txt", "Sequence\r\nMK\r\nLV\r\n") == 2);
  for (const std::string text : {"MKLV\n", "{\n\"seq\": \"MK\"}\n", "x,y\n1,2\n", "# a\n",
                                 "sequence,a;seq|sequence\nMK\n"}) {
    CAPTURE(text);
    const auto error = thrown_by([&] { lines("doubt.txt", text); });
    CHECK(error.code == 2);
    CHECK(error.says("say --format"));
  }
}

TEST_CASE("what is compressed in a way nobody here can undo is named, with the pipe that helps") {
  const TemporaryFolder folder;
  const std::string xz("\xfd\x37\x7a\x58\x5a\x00\x00\x04", 8);
  for (const std::string name : {"a.csv.xz", "a.csv"}) {
    const auto error = thrown_by([&] { open_input(content_settings({folder.write(name, xz)})); });
    CHECK(error.code == 65);
    CHECK(error.says("is compressed with xz"));
    CHECK(error.says("xz -dc " + folder.path(name) + " | longhaul embed MODEL - --format csv"));
  }
}

TEST_CASE("what a run should know of its columns is said once") {
  const TemporaryFolder folder;
  RecordingLog log;
  const auto said = [&](const std::string& text) {
    log.lines.clear();
    InputSettings settings = content_settings({folder.write("a.csv", text)});
    settings.log = &log;
    drain(*open_input(settings));
    return log.lines.size();
  };
  CHECK(said("id,sequence\na,MK\n") == 0);
  CHECK(said("sequence,label\nMK,1\n") == 0);
  CHECK(said("name,sequence\na,MK\n") == 1);
  CHECK(says(log, "ids are the records' numbers; --id-column 'name'"));
  CHECK(said("id,accession,sequence\na,b,MK\n") == 1);
  CHECK(says(log, "ids are those of 'id', not of 'accession'"));
  CHECK(said("id;sequence\na;MK\n") == 1);
  CHECK(says(log, "separated by a semicolon"));
  CHECK(said("id,sequence\na,MK\nb,NA\nc,NA\nd,None\n") == 1);
  CHECK(says(log, "line 3: 'NA' is read as residues"));
  CHECK(said("id,note,sequence\na,\"x,y\nb,z,MK\nc,z\",LV\nd\",MK\n") == 0);
}
