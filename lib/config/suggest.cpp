#include "config/suggest.hpp"

#include <algorithm>
#include <numeric>

#include "base/text.hpp"

namespace longhaul::config {
namespace {

std::string folded(std::string_view word) {
  std::string out = to_lower(word);
  std::replace(out.begin(), out.end(), '_', '-');
  return out;
}

// Insertions, deletions and replacements that turn one word into the other (Levenshtein).
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string> nearest_word(std::string_view word,
                                        const std::vector<std::string>& known) {
  const std::string wanted = folded(word);
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(1, wanted.size() / 4) + 1;
  for (const std::string& candidate : known) {
    const std::size_t steps = distance(wanted, folded(candidate));
    if (steps < best_distance) {
      best_distance = steps;
      best = candidate;
    }
  }
  return best;
}

}  // namespace longhaul::config
