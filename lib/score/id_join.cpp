#include "score/id_join.hpp"

#include <algorithm>
#include <span>
#include <tuple>

namespace longhaul::score {
namespace {

void sort(std::vector<RecordKey>& keys) {
  std::sort(keys.begin(), keys.end(), [](const RecordKey& left, const RecordKey& right) {
    return std::tuple(left.id, left.content, std::uint64_t{left.row}) <
           std::tuple(right.id, right.content, std::uint64_t{right.row});
  });
}

// The records of one id, from `at` on.
std::span<const RecordKey> of_one_id(const std::vector<RecordKey>& keys, std::size_t at) {
  std::size_t end = at;
  while (end < keys.size() && keys[end].id == keys[at].id) {
    ++end;
  }
  return std::span(keys).subspan(at, end - at);
}

void join_one_id(std::span<const RecordKey> a, std::span<const RecordKey> b,
                 const JoinTellers& tell) {
  if (a.size() == 1 && b.size() == 1) {
    const bool known = a[0].content != 0 && b[0].content != 0;
    (known && a[0].content != b[0].content ? tell.other_content : tell.same)(a[0], b[0]);
    return;
  }
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i].content == b[j].content && a[i].content != 0) {
      tell.same(a[i++], b[j++]);
    } else if (j == b.size() || (i < a.size() && a[i].content <= b[j].content)) {
      tell.only_a(a[i++], !b.empty());
    } else {
      tell.only_b(b[j++], !a.empty());
    }
  }
}

}  // namespace

void join_records(std::vector<RecordKey>& a, std::vector<RecordKey>& b, const JoinTellers& tell) {
  sort(a);
  sort(b);
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() || j < b.size()) {
    const bool of_a = i < a.size() && (j == b.size() || a[i].id <= b[j].id);
    const bool of_b = j < b.size() && (i == a.size() || b[j].id <= a[i].id);
    const auto left = of_a ? of_one_id(a, i) : std::span<const RecordKey>();
    const auto right = of_b ? of_one_id(b, j) : std::span<const RecordKey>();
    join_one_id(left, right, tell);
    i += left.size();
    j += right.size();
  }
}

}  // namespace longhaul::score
