#include "kernels/forms.hpp"
#include "kernels/rotation_tokens.hpp"

namespace longhaul::kernels {

template <typename T>
void rotate_plain(const RotationTask<T>& task, std::int64_t first, std::int64_t last) {
  rotate_tokens(task, first, last);
}
template void rotate_plain(const RotationTask<float>&, std::int64_t, std::int64_t);
template void rotate_plain(const RotationTask<Bfloat16>&, std::int64_t, std::int64_t);

}  // namespace longhaul::kernels
