#include "domain/left_out.hpp"

#include <catch2/catch.hpp>

using longhaul::LeftOut;

TEST_CASE("files are counted by their ending, hidden ones together") {
  LeftOut left_out;
  for (const char* name :
       {"a.txt", "b.TXT", "folder.d/c.txt", "d.csv.gz", "e.gz", "README", "no.", "12.0001",
        "a name. with words", ".hidden", "._a.jpg", "x/.ipynb_checkpoints/a.jpg",
        "__MACOSX/x/a.jpg", "./plain.txt", "../up.txt", "v.h5"}) {
    left_out.add_file(name);
  }
  CHECK(left_out.counts() == std::map<std::string, std::uint64_t>{{".txt files", 5},
                                                                  {".csv.gz files", 1},
                                                                  {".gz files", 1},
                                                                  {".h5 files", 1},
                                                                  {"files without an ending", 4},
                                                                  {"hidden files", 4}});
  CHECK(left_out.total() == 16);
}

TEST_CASE("counts are told in words, one of a kind in the singular") {
  LeftOut left_out;
  CHECK(to_string(left_out).empty());
  left_out.add("blank rows", 0);
  CHECK(left_out.empty());
  left_out.add("hidden files");
  left_out.add(".txt files", 1200);
  left_out.add("files without an ending");
  CHECK(to_string(left_out) == "1,200 .txt files, 1 file without an ending, 1 hidden file");
}

TEST_CASE("any number of endings is counted in bounded memory, and none is lost") {
  LeftOut left_out;
  for (int i = 0; i < 5000; ++i) {
    left_out.add_file("a.x" + std::to_string(i));
  }
  CHECK(left_out.counts().size() == LeftOut::kMostKinds + 1);
  CHECK(left_out.total() == 5000);
  LeftOut twice = left_out;
  twice.add(left_out);
  CHECK(twice.total() == 10'000);
}
