#include <Eigen/Dense>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "base/error.hpp"
#include "fakes/fault_files.hpp"
#include "report/covariance.hpp"
#include "report/memory_series.hpp"
#include "report/page.hpp"
#include "report/pictures.hpp"
#include "report/principal_axes.hpp"
#include "report/report_data.hpp"
#include "report/report_file.hpp"
#include "store/store_driver.hpp"

using namespace longhaul;
using namespace longhaul::report;
using namespace longhaul::fakes;
using namespace longhaul::store::test;

namespace {

std::vector<std::vector<float>> some_vectors(std::size_t rows, std::size_t dimension,
                                             float offset = 0) {
  std::mt19937 chance(7);
  std::normal_distribution<float> normal;
  std::vector<std::vector<float>> vectors(rows, std::vector<float>(dimension));
  for (auto& vector : vectors) {
    for (std::size_t i = 0; i < dimension; ++i) {
      vector[i] = offset + normal(chance) * static_cast<float>(3.0 / static_cast<double>(i + 1));
    }
  }
  return vectors;
}

void put_text(Files& files, const std::string& path, std::string_view text) {
  const auto file = files.open(path, OpenMode::kCreate);
  file->truncate(0);
  file->write_at(0, bytes_of(text));
  file->sync();
}

void add_all(Covariance& covariance, const std::vector<std::vector<float>>& vectors) {
  for (const auto& vector : vectors) {
    covariance.add(vector);
  }
}

nlohmann::ordered_json data_of(Files& files, std::uint64_t most_points = 3000,
                               std::optional<std::string> colour = std::nullopt,
                               Stop stop = nullptr) {
  const store::OutputReader output(files, "out");
  return report_data(output, {{"state", "complete"}},
                     {{std::move(colour), most_points, 1}, "now", "1"},
                     {files, nullptr, std::move(stop), nullptr});
}

}  // namespace

TEST_CASE("the covariance is that of the definition, for any number of workers") {
  const std::size_t rows = GENERATE(as<std::size_t>{}, 2, 255, 256, 257, 700);
  const std::size_t dimension = GENERATE(as<std::size_t>{}, 1, 5, 64, 130);
  const auto vectors = some_vectors(rows, dimension, 1000);
  Covariance one(static_cast<std::uint32_t>(dimension), 1);
  Covariance three(static_cast<std::uint32_t>(dimension), 3);
  add_all(one, vectors);
  add_all(three, vectors);
  const auto matrix = one.matrix();
  CHECK(matrix == three.matrix());
  Eigen::MatrixXd all(rows, dimension);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < dimension; ++j) {
      all(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) = vectors[i][j];
    }
  }
  all.rowwise() -= all.colwise().mean().eval();
  const Eigen::MatrixXd expected = all.transpose() * all / static_cast<double>(rows - 1);
  const Eigen::Map<const Eigen::MatrixXd> found(matrix.data(), expected.rows(), expected.cols());
  CHECK((found - expected).cwiseAbs().maxCoeff() <= 1e-10 * expected.cwiseAbs().maxCoeff());
}

TEST_CASE("the axes are the leading eigenvectors, of length 1") {
  const std::size_t dimension = GENERATE(as<std::size_t>{}, 1, 2, 12, 13, 200);
  Covariance covariance(static_cast<std::uint32_t>(dimension), 1);
  add_all(covariance, some_vectors(600, dimension));
  const auto numbers = covariance.matrix();
  const auto size = static_cast<Eigen::Index>(dimension);
  const Eigen::Map<const Eigen::MatrixXd> matrix(numbers.data(), size, size);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(matrix);
  const PrincipalAxes axes = principal_axes(covariance);
  REQUIRE(axes.axes.size() == std::min<std::size_t>(dimension, 2));
  for (std::size_t i = 0; i < axes.axes.size(); ++i) {
    const Eigen::Map<const Eigen::VectorXd> axis(axes.axes[i].data(), size);
    const auto column = size - 1 - static_cast<Eigen::Index>(i);
    CHECK(std::abs(axis.dot(solver.eigenvectors().col(column))) == Approx(1).epsilon(1e-9));
    CHECK(axes.shares[i] == Approx(solver.eigenvalues()[column] / matrix.trace()));
  }
}

TEST_CASE("vectors that are all equal have axes and no variance") {
  Covariance covariance(20, 1);
  add_all(covariance, std::vector<std::vector<float>>(10, std::vector<float>(20, 3.5F)));
  const PrincipalAxes axes = principal_axes(covariance);
  CHECK(axes.shares == std::vector<double>{0, 0});
  CHECK(project(axes, 0, std::vector<float>(20, 3.5F)) == Approx(0).margin(1e-12));
}

TEST_CASE("directions of equal variance are found too") {
  // The covariance is a multiple of one: every direction is as good, and none converges first.
  std::vector<std::vector<float>> vectors;
  for (std::size_t i = 0; i < 40; ++i) {
    for (const float sign : {1.0F, -1.0F}) {
      vectors.emplace_back(40);
      vectors.back()[i] = sign;
    }
  }
  Covariance covariance(40, 1);
  add_all(covariance, vectors);
  const PrincipalAxes axes = principal_axes(covariance);
  CHECK(axes.shares[0] == Approx(1.0 / 40));
  CHECK(axes.shares[1] == Approx(1.0 / 40));
}

TEST_CASE("samples of memory are thinned without losing a peak or joining sessions") {
  FaultFiles files;
  std::string text;
  for (int session = 0; session < 2; ++session) {
    for (int i = 1; i <= 1000; ++i) {
      const int rss = session == 0 && i == 333 ? 9000 : 100 + i % 7;
      text += R"({"time": )" + std::to_string(i * 0.5) + R"(, "records": )" +
              std::to_string(session * 2000 + 2 * i) + R"(, "rss": )" + std::to_string(rss) +
              R"(, "live": null})" + "\n";
    }
  }
  files.make_directory("out");
  put_text(files, "out/memory.jsonl", text + "{\"time\": 3");
  const MemorySeries series = read_memory_series(files, "out/memory.jsonl", 50, nullptr);
  CHECK(series.samples == 2000);
  CHECK(series.unreadable == 1);
  CHECK(series.points.size() >= 50);
  CHECK(series.points.size() <= 101);
  double highest = 0;
  for (const MemoryPoint& point : series.points) {
    highest = std::max(highest, point.rss.value_or(0));
  }
  CHECK(highest == 9000);
  CHECK(series.points.back().session == 1);
  const nlohmann::ordered_json told = to_json(series);
  std::size_t gaps = 0;
  for (const auto& rate : told.at("rate")) {
    gaps += rate.is_null() ? 1U : 0U;
    if (!rate.is_null()) {
      CHECK(rate.get<double>() == Approx(4));
    }
  }
  CHECK(gaps == 2);  // the first point of each session
}

TEST_CASE("of many short sessions each keeps its point, and longer ones are thinned alike") {
  FaultFiles files;
  std::string text;
  for (int session = 0; session < 1500; ++session) {
    for (int i = 1; i <= 4; ++i) {
      text += R"({"time": )" + std::to_string(i) + "}\n";
    }
  }
  files.make_directory("out");
  put_text(files, "out/memory.jsonl", text);
  const MemorySeries series = read_memory_series(files, "out/memory.jsonl", 100, nullptr);
  CHECK(series.points.size() == 1500);
  CHECK(series.points.back().session == 1499);
  CHECK(series.points.back().seconds == 4);
  CHECK_THROWS_AS(read_memory_series(files, "out/memory.jsonl", 100, [] { return true; }), Error);
}

TEST_CASE("an output's facts are counted, finished or stopped") {
  const bool complete = GENERATE(true, false);
  FaultFiles files = stopped(complete ? kNever : 60);
  const nlohmann::ordered_json data = data_of(files);
  const auto& records = data.at("records");
  CHECK(records.at("records") == records.at("ok").get<int>() + records.at("rejected").get<int>() +
                                     records.at("duplicates").get<int>());
  // Those of the driver have their original's vector.
  CHECK(records.at("with_vector") ==
        records.at("ok").get<int>() + records.at("duplicates").get<int>());
  std::uint64_t rejected = 0;
  for (const auto& reason : data.at("rejects")) {
    rejected += reason.at("count").get<std::uint64_t>();
    CHECK(reason.at("examples").size() >= 1);
  }
  CHECK(records.at("rejected") == rejected);
  CHECK(data.at("map").at("rows") == records.at("ok"));
  CHECK(data.at("map").at("points").at("x").size() == records.at("ok").get<std::size_t>());
  CHECK((records.at("records") == 22) == complete);
}

TEST_CASE("rows of the map are evenly chosen, and coloured by what was kept") {
  FaultFiles files = stopped(kNever);
  const auto all = data_of(files, 3000, "label").at("map");
  const auto some = data_of(files, 5, "label").at("map");
  CHECK(some.at("rows") == all.at("rows"));
  CHECK(some.at("points").at("x").size() == 5);
  CHECK(some.at("shares") == all.at("shares"));
  CHECK(all.at("colour") == "label");
  CHECK_FALSE(all.at("points").at("value").at(0).get<std::string>().empty());
  CHECK_THROWS_WITH(data_of(files, 5, "colour"), Catch::Contains("is no column that out kept"));
}

TEST_CASE("a report that is stopped says so") {
  FaultFiles files = stopped(kNever);
  CHECK_THROWS_AS(data_of(files, 5, std::nullopt, [] { return true; }), Error);
}

TEST_CASE("no text of a run can end the element that holds it") {
  const std::string page =
      make_page({{"id", "</script><script>alert(1)</script>&amp; {{script}} \xff \xe2\x80\xa8"}});
  CHECK(page.starts_with(kPageMark));
  CHECK(page.find("alert(1)</script>") == std::string::npos);
  CHECK(page.find("\\u003c/script\\u003e\\u003cscript\\u003ealert(1)") != std::string::npos);
  CHECK(page.find("\\u0026amp; {{script}} \\ufffd \\u2028") != std::string::npos);
  CHECK(page.find("Permission is hereby granted") != std::string::npos);
  CHECK(page.ends_with("</html>\n"));
}

TEST_CASE("a page of ours is replaced whole, and nothing else is") {
  FaultFiles files;
  files.make_directory("out");
  const std::string page = make_page({{"a", 1}});
  write_page(files, "out/report.html", page + page);
  write_page(files, "out/report.html", page);
  CHECK(read_text(files, "out/report.html") == page);
  put_text(files, "out/mine.html", "<!DOCTYPE html>");
  CHECK_THROWS_WITH(write_page(files, "out/mine.html", page), Catch::Contains("is no report"));
  CHECK(read_text(files, "out/mine.html") == "<!DOCTYPE html>");
  CHECK_THROWS_WITH(write_page(files, "out", page), Catch::Contains("is there already"));
  CHECK_THROWS_WITH(require_own_page(files, "none/report.html"),
                    Catch::Contains("none, where the page is to be"));
}

TEST_CASE("a bitmap has its rows from below, in blue, green and red, padded to four bytes") {
  const Picture picture{2, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, ""};
  const std::string uri = bitmap_uri(picture);
  const std::vector<std::uint8_t> rows{9, 8, 7, 12, 11, 10, 0, 0, 3, 2, 1, 6, 5, 4, 0, 0};
  CHECK(uri.starts_with("data:image/bmp;base64,Qk1GAAAAAAAAADYAAAAoAAAAAgAAAAIAAAABABgA"));
  CHECK(uri.ends_with(to_base64(rows)));
  const auto encoded = [](std::string_view text) {
    return to_base64({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  };
  CHECK(encoded("f") == "Zg==");
  CHECK(encoded("fo") == "Zm8=");
  CHECK(encoded("foo") == "Zm9v");
}

TEST_CASE("an image is found where the run found it") {
  FaultFiles files;
  files.make_directory("/run_here");
  files.make_directory("/run_here/pictures");
  put_text(files, "/run_here/pictures/a.png", "x");
  std::string asked;
  const Pictures pictures(
      files,
      [&](const std::string& path) {
        asked = path;
        return Picture{0, {}, "no image"};
      },
      "/run_here");
  CHECK(pictures.of({3, "a.png", "pictures"}).at("why") == "no image");
  CHECK(asked == "/run_here/pictures/a.png");
  asked.clear();
  CHECK(pictures.of({3, "/run_here/pictures/a.png", "list.txt"}).at("why") == "no image");
  CHECK(asked == "/run_here/pictures/a.png");
  CHECK(pictures.of({3, "a.png", "pictures/a.png"}).at("why") == "no image");
  CHECK(pictures.of({4, "b.png", "pictures"}).at("why").get<std::string>().starts_with("no file"));
  // A member of an archive is not the file of its name beside it, whether the archive is there or
  // gone; but a folder may have such a name.
  put_text(files, "/run_here/a.png", "another");
  asked.clear();
  for (const char* archive : {"gone.tar", "there.TAR"}) {
    put_text(files, "/run_here/there.TAR", "members");
    CHECK(pictures.of({5, "a.png", archive})
              .at("why")
              .get<std::string>()
              .starts_with("an image within an archive"));
  }
  CHECK(asked.empty());
  files.make_directory("/run_here/folder.tar");
  put_text(files, "/run_here/folder.tar/a.png", "x");
  CHECK(pictures.of({6, "a.png", "folder.tar"}).at("why") == "no image");
  CHECK(asked == "/run_here/folder.tar/a.png");
}
