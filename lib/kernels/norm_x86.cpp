#include "kernels/forms.hpp"
#include "kernels/norm_rows.hpp"

namespace longhaul::kernels {
namespace {

thread_local std::vector<float> row_of_thread;

[[gnu::target("avx2,fma")]] void rows_avx2(const NormTask& task, std::int64_t first,
                                           std::int64_t last) {
  norm_rows<8>(task, first, last, row_of_thread);
}
[[gnu::target("avx512f,avx512dq,avx512vl,avx512bw,fma")]] void rows_avx512(const NormTask& task,
                                                                           std::int64_t first,
                                                                           std::int64_t last) {
  norm_rows<16>(task, first, last, row_of_thread);
}

}  // namespace

void norm_avx2(const NormTask& task, std::int64_t first, std::int64_t last) {
  rows_avx2(task, first, last);
}
void norm_avx512bf16(const NormTask& task, std::int64_t first, std::int64_t last) {
  rows_avx512(task, first, last);
}

}  // namespace longhaul::kernels
