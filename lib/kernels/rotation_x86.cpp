#include "kernels/forms.hpp"
#include "kernels/rotation_tokens.hpp"

namespace longhaul::kernels {
namespace {

template <typename T>
[[gnu::target("avx2")]] void tokens_avx2(const RotationTask<T>& task, std::int64_t first,
                                         std::int64_t last) {
  rotate_tokens(task, first, last);
}

}  // namespace

void rotate_avx2(const RotationTask<float>& task, std::int64_t first, std::int64_t last) {
  tokens_avx2(task, first, last);
}
void rotate_avx2(const RotationTask<Bfloat16>& task, std::int64_t first, std::int64_t last) {
  tokens_avx2(task, first, last);
}

}  // namespace longhaul::kernels
