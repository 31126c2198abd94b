#include "store/row_index.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <compare>
#include <iterator>
#include <tuple>

#include "base/error.hpp"

namespace longhaul::store {
namespace {

constexpr unsigned kRowBits = 40;
constexpr unsigned kOutputBits = 8;
constexpr unsigned kIdBits = 15;
constexpr unsigned kIdShift = kRowBits + kOutputBits;
constexpr std::uint64_t kKept = std::uint64_t{1} << 63;
constexpr std::uint64_t kIdMask = ((std::uint64_t{1} << kIdBits) - 1) << kIdShift;

RowIndex::Place place_of(std::uint64_t packed) {
  return {static_cast<std::uint32_t>(packed >> kRowBits & (RowIndex::kMostOutputs - 1)),
          packed & (RowIndex::kMostRows - 1)};
}

// Output before row, and nothing else.
std::uint64_t order_of(std::uint64_t packed) {
  return packed & (RowIndex::kMostOutputs * RowIndex::kMostRows - 1);
}

// The hash's lowest bits stand beside the place, its highest in the key.
std::uint64_t id_bits(std::uint64_t hash) {
  return hash << kIdShift & kIdMask;
}

// Of `size` sorted things the first that is not before what is looked for, whose key is `key`. Keys
// are hashes, which are spread evenly: where it is can be guessed to the root of the size. Where
// they are not, halving finds it.
template <typename KeyOf, typename Before>
std::size_t first_not_before(std::size_t size, std::uint64_t key, KeyOf key_of, Before before) {
  constexpr std::size_t kFew = 16;
  std::size_t low = 0;
  std::size_t high = size;
  while (high - low > kFew) {
    const std::size_t count = high - low;
    const std::uint64_t first = key_of(low);
    const std::uint64_t last = key_of(high - 1);
    if (first < last) {
      const double share = static_cast<double>(std::clamp(key, first, last) - first) /
                           static_cast<double>(last - first);
      const auto margin = static_cast<std::size_t>(std::sqrt(static_cast<double>(count)));
      const std::size_t guess =
          low + std::min(count - 1, static_cast<std::size_t>(share * static_cast<double>(count)));
      const std::size_t from = guess - std::min(guess - low, margin);
      const std::size_t to = std::min(guess + margin, high - 1);
      if (before(to)) {
        low = to + 1;
      } else if (!before(from)) {
        high = from;
      } else {
        low = from + 1;
        high = to;
      }
    }
    if (high - low > count / 2) {
      const std::size_t middle = low + (high - low) / 2;
      if (before(middle)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
  }
  while (low < high && before(low)) {
    ++low;
  }
  return low;
}

}  // namespace

// Every entry's id_key, as a range of its own.
class RowIndex::IdKeys {
 public:
  using iterator_category = std::random_access_iterator_tag;
  using value_type = std::uint64_t;
  using difference_type = std::ptrdiff_t;
  using pointer = std::uint64_t*;
  using reference = std::uint64_t&;

  explicit IdKeys(Entry* entry = nullptr) : entry_(entry) {}
  reference operator*() const { return entry_->id_key; }
  reference operator[](difference_type n) const { return entry_[n].id_key; }
  IdKeys& operator++() { return ++entry_, *this; }
  IdKeys& operator--() { return --entry_, *this; }
  IdKeys operator++(int) { return IdKeys(entry_++); }
  IdKeys operator--(int) { return IdKeys(entry_--); }
  IdKeys& operator+=(difference_type n) { return entry_ += n, *this; }
  IdKeys& operator-=(difference_type n) { return entry_ -= n, *this; }
  friend IdKeys operator+(IdKeys keys, difference_type n) { return keys += n; }
  friend IdKeys operator+(difference_type n, IdKeys keys) { return keys += n; }
  friend IdKeys operator-(IdKeys keys, difference_type n) { return keys -= n; }
  friend difference_type operator-(IdKeys a, IdKeys b) { return a.entry_ - b.entry_; }
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 sees a null pointer in it
  friend auto operator<=>(IdKeys a, IdKeys b) = default;

 private:
  Entry* entry_;
};

void RowIndex::add(const Hash128& content, std::string_view id, const Place& place) {
  if (place.output >= kMostOutputs || place.row >= kMostRows) {
    throw Error(ExitCode::kInternal, "a row that no index can hold: " + std::to_string(place.row) +
                                         " of output " + std::to_string(place.output));
  }
  const std::uint64_t hash = hash64(id);
  entries_.push_back(
      {content, std::uint64_t{place.output} << kRowBits | place.row | id_bits(hash), hash});
}

void RowIndex::seal() {
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return std::tuple(a.content.high, a.content.low, order_of(a.place)) <
           std::tuple(b.content.high, b.content.low, order_of(b.place));
  });
  index_bits_ = static_cast<unsigned>(std::bit_width(entries_.size()));
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    entries_[i].id_key = entries_[i].id_key >> index_bits_ << index_bits_ | i;
  }
  std::sort(IdKeys(entries_.data()), IdKeys(entries_.data() + entries_.size()));
}

std::size_t RowIndex::first_of_content(const Hash128& content) const {
  return first_not_before(
      entries_.size(), content.high, [this](std::size_t i) { return entries_[i].content.high; },
      [&](std::size_t i) {
        return std::tuple(entries_[i].content.high, entries_[i].content.low) <
               std::tuple(content.high, content.low);
      });
}

std::vector<RowIndex::Place> RowIndex::of_content(const Hash128& content) const {
  std::vector<Place> places;
  for (std::size_t i = first_of_content(content);
       i < entries_.size() && entries_[i].content == content && places.size() < kMostAnswers; ++i) {
    places.push_back(place_of(entries_[i].place));
  }
  return places;
}

template <typename Visit>
void RowIndex::visit_id(std::string_view id, Visit visit) const {
  const std::uint64_t hash = hash64(id);
  const std::uint64_t key = hash >> index_bits_ << index_bits_;
  const auto key_of = [this](std::size_t i) { return entries_[i].id_key; };
  std::size_t low = first_not_before(entries_.size(), key, key_of,
                                     [&](std::size_t i) { return key_of(i) < key; });
  for (; low < entries_.size() && entries_[low].id_key >> index_bits_ == key >> index_bits_;
       ++low) {
    const std::size_t entry = entries_[low].id_key - key;
    if ((entries_[entry].place & kIdMask) == id_bits(hash) && !visit(entry)) {
      return;
    }
  }
}

std::vector<RowIndex::Known> RowIndex::of_id(std::string_view id) const {
  std::vector<Known> known;
  visit_id(id, [&](std::size_t i) {
    known.push_back({entries_[i].content, place_of(entries_[i].place)});
    return known.size() < kMostAnswers;
  });
  return known;
}

bool RowIndex::has_id(std::string_view id) const {
  bool found = false;
  visit_id(id, [&found](std::size_t) { return !(found = true); });
  return found;
}

void RowIndex::keep(std::string_view id) {
  visit_id(id, [this](std::size_t i) {
    const bool first = (entries_[i].place & kKept) == 0;
    entries_[i].place |= kKept;
    return first;  // else all of them were
  });
}

// Equal ids have neighbouring keys, in any order of their other bits.
std::uint64_t RowIndex::left() const {
  std::uint64_t left = 0;
  std::vector<std::uint64_t> seen;  // other bits, of this key
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (i == 0 || entries_[i].id_key >> index_bits_ != entries_[i - 1].id_key >> index_bits_) {
      seen.clear();
    }
    const std::uint64_t mask = (std::uint64_t{1} << index_bits_) - 1;
    const std::uint64_t place = entries_[entries_[i].id_key & mask].place;
    if (std::find(seen.begin(), seen.end(), place & kIdMask) == seen.end()) {
      seen.push_back(place & kIdMask);
      left += (place & kKept) == 0 ? 1U : 0U;
    }
  }
  return left;
}

}  // namespace longhaul::store
