// A store of one short vector a record: its layout, a row of it, and how what is done to it fails.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::store::test {

inline RecordRow good(std::uint64_t row, std::string id) {
  RecordRow line;
  line.position = line.row = row;
  line.id = std::move(id);
  line.source = "in.fa";
  line.length = 3;
  return line;
}

inline const StoreLayout kLayout = single_vector(2);
inline const std::vector<float> kVector{1.0F, 2.0F};

inline ExitCode code_of(const std::function<void()>& action, const std::string& text) {
  try {
    action();
  } catch (const Error& error) {
    CHECK_THAT(error.what(), Catch::Contains(text));
    return error.code();
  }
  return ExitCode::kDone;
}

}  // namespace longhaul::store::test
