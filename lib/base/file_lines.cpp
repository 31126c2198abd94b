#include "base/file_lines.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace longhaul {

void for_each_line(File& file,
                   const std::function<void(std::string_view line, bool terminated)>& visit) {
  std::string pending;
  std::vector<char> chunk(std::min<std::uint64_t>(file.size(), 256U << 10));
  for (std::uint64_t offset = 0;;) {
    const std::size_t got = file.read_at(offset, std::as_writable_bytes(std::span(chunk)));
    if (got == 0) {
      break;
    }
    offset += got;
    const std::size_t searched = pending.size();
    pending.append(chunk.data(), got);
    std::size_t begin = 0;
    std::size_t newline = pending.find('\n', searched);
    while (newline != std::string::npos) {
      visit(std::string_view(pending).substr(begin, newline - begin), true);
      begin = newline + 1;
      newline = pending.find('\n', begin);
    }
    pending.erase(0, begin);
  }
  if (!pending.empty()) {
    visit(pending, false);
  }
}

}  // namespace longhaul
