// Batches for the attention kernels' tests. What a record's states are depends on its content alone
// (a number that seeds them), so that the same record can stand anywhere, beside anything.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#include "kernels/attention.hpp"

namespace attention_tests {

using namespace longhaul::kernels;

inline float to_float(float value) {
  return value;
}
inline float to_float(Bfloat16 value) {
  return std::bit_cast<float>(std::uint32_t{value.bits} << 16);
}
inline std::uint32_t bits_of(float value) {
  return std::bit_cast<std::uint32_t>(value);
}
inline std::uint32_t bits_of(Bfloat16 value) {
  return value.bits;
}
template <typename T>
T number(float value);
template <>
inline float number<float>(float value) {
  return value;
}
// Cut off, not rounded: the tests only need some number.
template <>
inline Bfloat16 number<Bfloat16>(float value) {
  return {static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16)};
}

// In [0, 1), from the whole of `key` (splitmix64).
inline float random_share(std::uint64_t key) {
  key += 0x9E3779B97F4A7C15ULL;
  key = (key ^ (key >> 30)) * 0xBF58476D1CE4E5B9ULL;
  key = (key ^ (key >> 27)) * 0x94D049BB133111EBULL;
  return static_cast<float>((key ^ (key >> 31)) >> 40) / static_cast<float>(1 << 24);
}

// `size` numbers, `offset` of them after an address that is a multiple of 64. Ends where its
// allocation ends, so that the address sanitizer sees every step beyond.
template <typename T>
class Numbers {
 public:
  Numbers(std::int64_t size, std::int64_t offset)
      : size_(size),
        memory_(static_cast<T*>(::operator new[](
            static_cast<std::size_t>(size + offset) * sizeof(T), std::align_val_t{64}))),
        first_(memory_ + offset) {
    std::memset(static_cast<void*>(memory_), 0xFF,
                static_cast<std::size_t>(size + offset) * sizeof(T));
  }
  ~Numbers() { ::operator delete[](memory_, std::align_val_t{64}); }
  Numbers(const Numbers&) = delete;
  Numbers& operator=(const Numbers&) = delete;

  T* data() const { return first_; }
  std::int64_t size() const { return size_; }

 private:
  std::int64_t size_;
  T* memory_;
  T* first_;
};

struct Shape {
  std::int64_t heads = 1;
  std::int64_t queries = 1;
  std::int64_t keys = 1;
  std::int64_t width = 1;
};

constexpr std::uint64_t kAllNan = 0;  // a content: states that are NaN

struct Row {
  std::uint64_t content = 1;
  std::int64_t length = 0;  // keys beyond are hidden
};

enum class Layout {
  kSeparate,  // [rows, heads, tokens, width], each for itself
  kMerged,    // query, key and value are parts of [rows, tokens, 3, heads, width]; as many queries
              // as keys. The result is [rows, tokens, heads, width] with a gap after each token
};

enum class Bias {
  kNone,    // nothing is hidden
  kHidden,  // what is hidden holds garbage, and gets minus infinity
  kLow,     // what is hidden gets -30000
};

template <typename T>
class Batch {
 public:
  Batch(std::vector<Row> rows, Shape shape, Layout layout, Bias bias, std::int64_t offset)
      : rows_(std::move(rows)),
        shape_(shape),
        bias_kind_(bias),
        merged_(layout == Layout::kMerged),
        tokens_(merged_ ? 3 * shape.keys : shape.queries + 2 * shape.keys),
        states_(count() * tokens_ * shape.heads * shape.width, offset),
        out_(count() * shape.queries * (shape.heads * shape.width + kGap), offset),
        bias_(count() * shape.keys, offset) {
    set_up_task();
    for (std::int64_t r = 0; r < count(); ++r) {
      fill(task_.query, shape.queries, r, 1);
      fill(task_.key, shape.keys, r, 2);
      fill(task_.value, shape.keys, r, 3);
      for (std::int64_t j = 0; j < shape.keys; ++j) {
        const bool hidden = j >= row(r).length;
        bias_.data()[r * shape.keys + j] =
            !hidden ? 0.0F
                    : (bias == Bias::kLow ? -30000.0F : -std::numeric_limits<float>::infinity());
      }
    }
  }

  const AttentionTask<T>& task() const { return task_; }
  std::int64_t count() const { return static_cast<std::int64_t>(rows_.size()); }
  std::int64_t pairs() const { return count() * shape_.heads; }
  const Row& row(std::int64_t r) const { return rows_[static_cast<std::size_t>(r)]; }

  T out(std::int64_t r, std::int64_t head, std::int64_t query, std::int64_t d) const {
    return task_.out.data[r * task_.out.row + head * task_.out.head + query * task_.out.token + d];
  }

  // The bits of a row's first `queries` results.
  std::vector<std::uint32_t> bits(std::int64_t r, std::int64_t queries) const {
    std::vector<std::uint32_t> all;
    for (std::int64_t head = 0; head < shape_.heads; ++head) {
      for (std::int64_t i = 0; i < queries; ++i) {
        for (std::int64_t d = 0; d < shape_.width; ++d) {
          all.push_back(bits_of(out(r, head, i, d)));
        }
      }
    }
    return all;
  }

  // True when nothing but results was written.
  bool gaps_untouched() const {
    if (!merged_) {
      const std::int64_t used = count() * shape_.queries * shape_.heads * shape_.width;
      return untouched(used, out_.size() - used);
    }
    const std::int64_t used = shape_.heads * shape_.width;
    for (std::int64_t token = 0; token < count() * shape_.queries; ++token) {
      if (!untouched(token * (used + kGap) + used, kGap)) {
        return false;
      }
    }
    return true;
  }

  // One query's result in double precision, and how large its terms are: sum of weight * |value|.
  struct Exact {
    double value = 0;
    double terms = 0;
  };
  std::vector<Exact> exact(std::int64_t r, std::int64_t head, std::int64_t query) const {
    const std::int64_t seen = bias_kind_ == Bias::kNone ? shape_.keys : row(r).length;
    std::vector<double> weights;
    double greatest = -std::numeric_limits<double>::infinity();
    for (std::int64_t j = 0; j < seen; ++j) {
      double score = 0;
      for (std::int64_t d = 0; d < shape_.width; ++d) {
        score += double{at(task_.query, r, head, query, d)} * double{at(task_.key, r, head, j, d)};
      }
      weights.push_back(score * double{task_.scale});
      greatest = std::max(greatest, weights.back());
    }
    double sum = 0;
    for (double& weight : weights) {
      weight = std::exp(weight - greatest);
      sum += weight;
    }
    std::vector<Exact> all(static_cast<std::size_t>(shape_.width));
    for (std::int64_t j = 0; j < seen; ++j) {
      const double weight = weights[static_cast<std::size_t>(j)] / sum;
      for (std::int64_t d = 0; d < shape_.width; ++d) {
        const double value = double{at(task_.value, r, head, j, d)};
        all[static_cast<std::size_t>(d)].value += weight * value;
        all[static_cast<std::size_t>(d)].terms += weight * std::abs(value);
      }
    }
    return all;
  }

 private:
  static constexpr std::int64_t kGap = 3;

  static float at(const States<const T>& states, std::int64_t r, std::int64_t head,
                  std::int64_t token, std::int64_t d) {
    return to_float(states.data[r * states.row + head * states.head + token * states.token + d]);
  }

  bool untouched(std::int64_t first, std::int64_t many) const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(out_.data() + first);
    for (std::size_t i = 0; i < static_cast<std::size_t>(many) * sizeof(T); ++i) {
      if (bytes[i] != 0xFF) {
        return false;
      }
    }
    return true;
  }

  void set_up_task() {
    const std::int64_t wide = shape_.heads * shape_.width;
    T* all = states_.data();
    if (merged_) {
      const auto part = [&](std::int64_t i) {
        return States<const T>{all + i * wide, shape_.keys * 3 * wide, shape_.width, 3 * wide};
      };
      task_.query = part(0);
      task_.key = part(1);
      task_.value = part(2);
      task_.out = {out_.data(), shape_.queries * (wide + kGap), shape_.width, wide + kGap};
    } else {
      const auto apart = [&](std::int64_t tokens) {
        const States<const T> states{all, tokens * wide, tokens * shape_.width, shape_.width};
        all += count() * tokens * wide;
        return states;
      };
      task_.query = apart(shape_.queries);
      task_.key = apart(shape_.keys);
      task_.value = apart(shape_.keys);
      task_.out = {out_.data(), shape_.queries * wide, shape_.queries * shape_.width, shape_.width};
    }
    if (bias_kind_ != Bias::kNone) {
      task_.bias = bias_.data();
      task_.bias_row = shape_.keys;
    }
    task_.heads = shape_.heads;
    task_.queries = shape_.queries;
    task_.keys = shape_.keys;
    task_.width = shape_.width;
    task_.scale = 1.0F / std::sqrt(static_cast<float>(shape_.width));
  }

  void fill(const States<const T>& states, std::int64_t tokens, std::int64_t r,
            std::uint64_t kind) {
    for (std::int64_t head = 0; head < shape_.heads; ++head) {
      for (std::int64_t token = 0; token < tokens; ++token) {
        const bool garbage = bias_kind_ == Bias::kHidden && token >= row(r).length;
        for (std::int64_t d = 0; d < shape_.width; ++d) {
          const std::uint64_t place = static_cast<std::uint64_t>((head * 1000 + token) * 1000 + d);
          const float value =
              garbage ? 2e4F * (random_share(place + static_cast<std::uint64_t>(tokens)) - 0.5F)
                      : 4.0F * random_share((row(r).content * 4 + kind) << 40 ^ place) - 2.0F;
          // The views are const for the kernels; the numbers are this batch's.
          T* const own = states_.data() + (states.data - states_.data());
          own[r * states.row + head * states.head + token * states.token + d] = number<T>(
              row(r).content == kAllNan ? std::numeric_limits<float>::quiet_NaN() : value);
        }
      }
    }
  }

  std::vector<Row> rows_;
  Shape shape_;
  Bias bias_kind_;
  bool merged_;
  std::int64_t tokens_;
  Numbers<T> states_;
  Numbers<T> out_;
  Numbers<float> bias_;
  AttentionTask<T> task_;
};

}  // namespace attention_tests
