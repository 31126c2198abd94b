#include "kernels/forms.hpp"
#include "kernels/rotation_tokens.hpp"

namespace longhaul::kernels {

void rotate_plain(const RotationTask<float>& task, std::int64_t first, std::int64_t last) {
  rotate_tokens(task, first, last);
}

void rotate_plain(const RotationTask<Bfloat16>& task, std::int64_t first, std::int64_t last) {
  rotate_tokens(task, first, last);
}

}  // namespace longhaul::kernels
