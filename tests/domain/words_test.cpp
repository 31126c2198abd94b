#include "domain/words.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "domain/numbers.hpp"

using namespace longhaul;

TEMPLATE_TEST_CASE("Every word leads to its value and back", "", Modality, Pooling, Normalize,
                   Dtype, OutputDtype, TooLong, Unknown, Gaps, SkipDuplicates, Order) {
  std::set<std::string_view> words;
  for (const Word<TestType>& word : Words<TestType>::all) {
    CHECK(to_string(word.value) == word.text);
    CHECK(from_string<TestType>(word.text) == word.value);
    CHECK(words.insert(word.text).second);
  }
  CHECK_FALSE(from_string<TestType>("").has_value());
  CHECK_FALSE(from_string<TestType>("FP32").has_value());
}
