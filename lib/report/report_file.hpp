// Writes the page where there is none, or over an older one of ours: a reader of the path sees the
// old page or the new one, whole. Written as PATH.longhaul-report first. One thread.
// Errors: kUsage where another file has the name; kIo.
#pragma once

#include <string>
#include <string_view>

#include "base/files.hpp"

namespace longhaul::report {

// Throws Error(kUsage) where something that is no page of ours has the name, and kIo where its
// folder is not there.
void require_own_page(Files& files, const std::string& path);

void write_page(Files& files, const std::string& path, std::string_view page);

}  // namespace longhaul::report
