#include "kernels/forms.hpp"

namespace longhaul::kernels {

bool machine_has(Isa isa) {
  return isa == Isa::kPlain;
}

bool has_matrix_units() {
  return false;
}

template <>
std::span<const Implementation<AttentionTask<float>>> implementations<AttentionTask<float>>() {
  static constexpr Implementation<AttentionTask<float>> kAll[] = {
      {Isa::kPlain, &attend_plain},
  };
  return kAll;
}

template <>
std::span<const Implementation<AttentionTask<Bfloat16>>>
implementations<AttentionTask<Bfloat16>>() {
  static constexpr Implementation<AttentionTask<Bfloat16>> kAll[] = {
      {Isa::kPlain, &attend_plain},
  };
  return kAll;
}

template <>
std::span<const Implementation<RotationTask<float>>> implementations<RotationTask<float>>() {
  static constexpr Implementation<RotationTask<float>> kAll[] = {
      {Isa::kPlain, &rotate_plain},
  };
  return kAll;
}

template <>
std::span<const Implementation<RotationTask<Bfloat16>>> implementations<RotationTask<Bfloat16>>() {
  static constexpr Implementation<RotationTask<Bfloat16>> kAll[] = {
      {Isa::kPlain, &rotate_plain},
  };
  return kAll;
}

template <>
std::span<const Implementation<LinearTask>> implementations<LinearTask>() {
  static constexpr Implementation<LinearTask> kAll[] = {
      {Isa::kPlain, &linear_plain},
  };
  return kAll;
}

template <>
std::span<const Implementation<NormTask>> implementations<NormTask>() {
  static constexpr Implementation<NormTask> kAll[] = {
      {Isa::kPlain, &norm_plain},
  };
  return kAll;
}

}  // namespace longhaul::kernels
