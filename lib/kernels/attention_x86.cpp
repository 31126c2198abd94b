#include "kernels/attention_pairs.hpp"
#include "kernels/forms.hpp"
#include "kernels/transpose_avx512.hpp"

namespace longhaul::kernels {
namespace {

LONGHAUL_AVX512 __m512 load_16(const float* from) {
  return _mm512_loadu_ps(from);
}
LONGHAUL_AVX512 __m512 load_16(const Bfloat16* from) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

// `columns` is a multiple of 16; those beyond `tokens` become 0. One by one, the stores would be
// most of the time of a short record's attention: a column's lines fall into few sets of the cache.
template <typename T>
[[gnu::target("avx512f")]] void transpose_avx512(const T* from, std::int64_t stride,
                                                 std::int64_t tokens, std::int64_t width, float* to,
                                                 std::int64_t columns) {
  const std::int64_t blocks = width / 16 * 16;
  for (std::int64_t j = 0; j < tokens; j += 16) {
    for (std::int64_t d = 0; d < blocks; d += 16) {
      __m512 rows[16];
      for (std::int64_t r = 0; r < 16; ++r) {
        rows[r] = j + r < tokens ? load_16(from + (j + r) * stride + d) : _mm512_setzero_ps();
      }
      transpose_16(rows);
      for (std::int64_t r = 0; r < 16; ++r) {
        _mm512_storeu_ps(to + (d + r) * columns + j, rows[r]);
      }
    }
  }
  transpose_any(from + blocks, stride, tokens, width - blocks, to + blocks * columns, columns);
}

template <typename T>
[[gnu::target("avx512f,avx512dq,avx512vl,fma")]] void pairs_avx512(const AttentionTask<T>& task,
                                                                   std::int64_t first,
                                                                   std::int64_t last) {
  thread_local AttentionWorkspace work;
  attend_pairs<T, 16, 8, 2>(task, first, last, work, transpose_avx512<T>);
}

template <typename T>
[[gnu::target("avx2,fma")]] void pairs_avx2(const AttentionTask<T>& task, std::int64_t first,
                                            std::int64_t last) {
  thread_local AttentionWorkspace work;
  attend_pairs<T, 8, 4, 2>(task, first, last, work, transpose_any<T>);
}

}  // namespace

void attend_avx2(const AttentionTask<float>& task, std::int64_t first, std::int64_t last) {
  pairs_avx2(task, first, last);
}
void attend_avx2(const AttentionTask<Bfloat16>& task, std::int64_t first, std::int64_t last) {
  pairs_avx2(task, first, last);
}

void attend_avx512(const AttentionTask<float>& task, std::int64_t first, std::int64_t last) {
  pairs_avx512(task, first, last);
}
void attend_avx512(const AttentionTask<Bfloat16>& task, std::int64_t first, std::int64_t last) {
  pairs_avx512(task, first, last);
}

}  // namespace longhaul::kernels
