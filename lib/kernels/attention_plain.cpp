#include "kernels/attention_pairs.hpp"
#include "kernels/forms.hpp"

namespace longhaul::kernels {

void attend_plain(const AttentionTask<float>& task, std::int64_t first, std::int64_t last) {
  thread_local AttentionWorkspace work;
  attend_pairs<float, 4, 4, 2>(task, first, last, work, transpose_any<float>);
}

void attend_plain(const AttentionTask<Bfloat16>& task, std::int64_t first, std::int64_t last) {
  thread_local AttentionWorkspace work;
  attend_pairs<Bfloat16, 4, 4, 2>(task, first, last, work, transpose_any<Bfloat16>);
}

}  // namespace longhaul::kernels
