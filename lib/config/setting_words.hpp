// The words that a setting's value may be, for completion. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace longhaul::config {

// {"fp32", "bf16", "fp16"} of "dtype". Empty where the value is a number, a name or a path.
std::vector<std::string> words_of_setting(std::string_view name);

}  // namespace longhaul::config
