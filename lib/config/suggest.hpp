// "Did you mean": the known word nearest to a mistyped one. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::config {

// Nothing when no word is near enough to be meant. Case and the choice of - or _ do not count.
std::optional<std::string> nearest_word(std::string_view word,
                                        const std::vector<std::string>& known);

}  // namespace longhaul::config
