// Whether a file may be replaced. Any thread. Throws Error(kIo) for one that cannot be read.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/files.hpp"

namespace longhaul {

// Whether the file at `path` has one of `beginnings` as its first bytes.
bool begins_with_one_of(Files& files, const std::string& path,
                        std::span<const std::string_view> beginnings);

// Throws Error(kUsage) where something stands at `path` that is no `what`: neither empty nor with
// one of `beginnings` as its first bytes.
void require_own_file(Files& files, const std::string& path,
                      std::span<const std::string_view> beginnings, std::string_view what);

}  // namespace longhaul
