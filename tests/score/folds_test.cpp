#include "score/folds.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "base/error.hpp"

using namespace longhaul;
using namespace longhaul::score;

namespace {

std::vector<std::uint8_t> some_labels() {
  std::vector<std::uint8_t> labels;
  for (unsigned i = 0; i < 53; ++i) {
    labels.push_back(i * i % 7 < 3 ? 1 : 0);
  }
  return labels;
}

std::string digits(const std::vector<std::uint32_t>& folds) {
  std::string text;
  for (const std::uint32_t fold : folds) {
    text += static_cast<char>('0' + fold);
  }
  return text;
}

}  // namespace

// Expected values: StratifiedKFold(n, shuffle=True, random_state=seed) of scikit-learn 1.9.1.
TEST_CASE("folds are scikit-learn's, row for row") {
  std::vector<std::uint8_t> labels = some_labels();
  CHECK(digits(stratified_folds(labels, 5, 42)) ==
        "44001233043301213213214103301044210340044241222120123");
  CHECK(digits(stratified_folds(labels, 10, 42)) ==
        "89113476196603428437428206612089510790089572554251337");
  for (std::uint8_t& label : labels) {
    label = label == 0 ? 1 : 0;
  }
  CHECK(digits(stratified_folds(labels, 10, 7)) ==
        "20850134495326610957682503074981118274726839275340691");
}

TEST_CASE("a class smaller than the number of folds is refused") {
  const std::vector<std::uint8_t> labels{0, 0, 0, 0, 1, 1};
  CHECK_THROWS_AS(stratified_folds(labels, 3, 42), Error);
  CHECK_NOTHROW(stratified_folds(labels, 2, 42));
}

TEST_CASE("rows with equal keys are never parted") {
  std::vector<std::uint8_t> labels = some_labels();
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    keys.push_back(std::to_string(i % 41));  // 12 keys occur twice, some with both labels
  }
  const auto folds = grouped_folds(labels, keys, 5, 42);
  std::map<std::string, std::set<std::uint32_t>> folds_of_key;
  for (std::size_t i = 0; i < folds.size(); ++i) {
    folds_of_key[keys[i]].insert(folds[i]);
  }
  for (const auto& [key, members] : folds_of_key) {
    CHECK(members.size() == 1);
  }
  // The plain folds do part some of them, so the grouping did something.
  const auto plain = stratified_folds(labels, 5, 42);
  bool parted = false;
  for (std::size_t i = 41; i < plain.size(); ++i) {
    parted = parted || plain[i] != plain[i - 41];
  }
  CHECK(parted);
}

TEST_CASE("distinct keys give the plain folds") {
  const std::vector<std::uint8_t> labels = some_labels();
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    keys.push_back("sequence " + std::to_string(i));
  }
  CHECK(grouped_folds(labels, keys, 10, 42) == stratified_folds(labels, 10, 42));
}
