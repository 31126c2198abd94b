#include "kernels/attention_pairs.hpp"
#include "kernels/forms.hpp"

namespace longhaul::kernels {

template <typename T>
void attend_plain(const AttentionTask<T>& task, std::int64_t first, std::int64_t last) {
  thread_local AttentionWorkspace work;
  attend_pairs<T, 4, 4, 2>(task, first, last, work, transpose_any<T>);
}
template void attend_plain(const AttentionTask<float>&, std::int64_t, std::int64_t);
template void attend_plain(const AttentionTask<Bfloat16>&, std::int64_t, std::int64_t);

}  // namespace longhaul::kernels
