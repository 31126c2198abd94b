#include "kernels/forms.hpp"
#include "kernels/norm_rows.hpp"

namespace longhaul::kernels {

void norm_plain(const NormTask& task, std::int64_t first, std::int64_t last) {
  thread_local std::vector<float> row;
  norm_rows<4>(task, first, last, row);
}

}  // namespace longhaul::kernels
