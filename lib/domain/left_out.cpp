#include "domain/left_out.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/text.hpp"

namespace longhaul {
namespace {

constexpr const char* kOtherFiles = "other files";
constexpr std::size_t kLongestEnding = 12;

// ".txt", ".csv.gz" or nothing. A dot before what no ending looks like ends nothing.
std::string ending_of(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == name.size()) {
    return "";
  }
  std::string ending = to_lower(name.substr(dot));
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_plain = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '_'; };
  if (ending.size() > kLongestEnding || !std::all_of(ending.begin() + 1, ending.end(), is_plain) ||
      std::none_of(ending.begin(), ending.end(), is_letter)) {
    return "";
  }
  for (const char* packed : {".gz", ".zst", ".bz2", ".xz"}) {
    if (ending == packed) {
      ending = ending_of(name.substr(0, dot)) + ending;
    }
  }
  return ending;
}

}  // namespace

void LeftOut::add(std::string_view kind, std::uint64_t count) {
  if (count == 0) {
    return;
  }
  const std::string name(kind);
  if (counts_.size() >= kMostKinds && !counts_.contains(name)) {
    counts_[kOtherFiles] += count;
  } else {
    counts_[name] += count;
  }
}

void LeftOut::add(const LeftOut& more) {
  for (const auto& [kind, count] : more.counts_) {
    add(kind, count);
  }
}

LeftOut LeftOut::since(const LeftOut& before) const {
  LeftOut rest;
  for (const auto& [kind, count] : counts_) {
    const auto found = before.counts_.find(kind);
    rest.add(kind, count - (found == before.counts_.end() ? 0 : std::min(found->second, count)));
  }
  return rest;
}

void LeftOut::add_file(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::string ending =
      ending_of(slash == std::string_view::npos ? path : path.substr(slash + 1));
  add(is_hidden_path(path) ? "hidden files"
      : ending.empty()     ? "files without an ending"
                           : ending + " files");
}

std::uint64_t LeftOut::total() const {
  std::uint64_t sum = 0;
  for (const auto& [kind, count] : counts_) {
    sum += count;
  }
  return sum;
}

std::string to_string(const LeftOut& left_out) {
  std::vector<std::string> parts;
  for (const auto& [kind, count] : left_out.counts()) {
    std::string name = kind;
    constexpr std::string_view kPlural = "files without";
    if (count == 1 && name.starts_with(kPlural)) {
      name.erase(4, 1);
    } else if (count == 1 && name.ends_with('s')) {
      name.pop_back();
    }
    parts.push_back(format_count(count) + " " + name);
  }
  return join(parts, ", ");
}

bool is_hidden_name(std::string_view name) {
  return name.starts_with('.') || name == "__MACOSX";
}

bool is_hidden_path(std::string_view path) {
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part != "." && part != ".." && is_hidden_name(part)) {
      return true;
    }
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return false;
}

}  // namespace longhaul
