// Flags that the program gives to itself, when it starts itself once more. No help shows them.
// Pure; any thread.
#pragma once

#include <string>
#include <vector>

namespace longhaul::app {

inline constexpr const char* kContinuationFlag = "--continuation";  // recycle.hpp
inline constexpr const char* kShareFlag = "--share-of-processes";   // child_processes.hpp

// A command line as its user gave it.
std::vector<std::string> without_own_flags(const std::vector<std::string>& arguments);
// With one of them, which has a value. It comes behind the command's name: after "--" there are
// only positions.
std::vector<std::string> with_own_flag(std::vector<std::string> arguments, const std::string& flag,
                                       const std::string& value);

}  // namespace longhaul::app
