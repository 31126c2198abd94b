// SHA-256 of a large file, which can be stopped. Values only; any thread.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace longhaul {

// Lower-case hex; nothing when `stop`, which is asked now and then, says so. Throws Error(kIo) when
// it cannot be read.
std::optional<std::string> sha256_file(const std::filesystem::path& path,
                                       const std::function<bool()>& stop);

}  // namespace longhaul
