// What a fuzzing target says when a property does not hold: the property, then an abort that
// libFuzzer turns into a file with the input. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace longhaul::fuzz {

inline void require(bool holds, const char* property, const std::string& detail = "") {
  if (!holds) {
    std::fprintf(stderr, "property does not hold: %s\n%s\n", property, detail.c_str());
    std::abort();
  }
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace longhaul::fuzz
