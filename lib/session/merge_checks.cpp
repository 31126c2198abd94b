#include "session/merge_checks.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::session {
namespace {

std::string percent_text(double percent) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g %%", percent);
  return text.data();
}

}  // namespace

void require_few_rejects(const ShardSet& set, const config::RejectLimit& limit,
                         const std::string& output) {
  std::uint64_t rejected = 0;
  for (const ShardOutput& shard : set.shards) {
    rejected += shard.counters.rejected;
  }
  const std::uint64_t records = set.whole().records;
  std::string exceeded;
  if (limit.count && rejected > *limit.count) {
    exceeded = format_count(*limit.count);
  } else if (limit.percent && records > 0 &&
             100.0 * static_cast<double>(rejected) / static_cast<double>(records) >
                 *limit.percent) {
    exceeded = percent_text(*limit.percent);
  } else {
    return;
  }
  throw Error(ExitCode::kBadData,
              format_count(rejected) + " of " + format_count(records) +
                  " records rejected, more than the limit of " + exceeded + ": the shards in " +
                  printable(output, 400) + " are not merged, and stay",
              "merge with a higher --max-rejects, or correct the input and embed it into another "
              "--output");
}

// Of one copy; where shards are removed, of the largest.
void require_merge_space(Files& files, const ShardSet& set,
                         const std::map<std::uint64_t, std::string>& claims,
                         const std::string& output, bool remove_shards) {
  std::uint64_t all = 0;
  std::uint64_t largest = 0;
  std::uint64_t beside = std::uint64_t{1} << 20;
  for (const ShardOutput& shard : set.shards) {
    const store::FileClaims& tables = shard.output.claims()->claims;
    beside += tables.records_bytes + tables.rejects_bytes + 8 * shard.output.rows();
    std::uint64_t bytes = 0;
    for (const OutputSpec& array : shard.output.layout().outputs) {
      if (!claims.contains(shard.shard.index)) {
        bytes += files.open(shard.output.array_path(array), OpenMode::kRead)->size();
      }
    }
    all += bytes;
    largest = std::max(largest, bytes);
  }
  const std::uint64_t needed = beside + (remove_shards ? largest : all);
  const std::optional<std::uint64_t> free = files.free_bytes(output);
  if (free && *free < needed) {
    throw Error(ExitCode::kIo,
                "not enough disk to merge " + printable(output, 400) + ": " + format_bytes(needed) +
                    " needed, " + format_bytes(*free) + " free",
                remove_shards
                    ? "free some space"
                    : "free some space, or give --remove-shards: room for the largest shard is "
                      "enough then");
  }
}

}  // namespace longhaul::session
