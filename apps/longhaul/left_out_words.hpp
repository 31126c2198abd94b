// What a command left out, for its last line. Pure; any thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace longhaul::app {

// "3 rejected", "1,200 duplicates": of each that is not none.
std::vector<std::string> counts_in_words(
    std::initializer_list<std::pair<std::uint64_t, std::string>> counts);

// "; left out: 3 rejected, tokens.npy"; empty where nothing was.
std::string left_out_words(const std::vector<std::string>& parts);

}  // namespace longhaul::app
