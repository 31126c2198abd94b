#include <cpuid.h>

#include "kernels/forms.hpp"

namespace longhaul::kernels {

// The compiler's check asks whether the operating system keeps the registers too.
bool machine_has(Isa isa) {
  switch (isa) {
    case Isa::kPlain:
      return true;
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::kAvx512:
      return machine_has(Isa::kAvx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case Isa::kAvx512Bf16:
      return machine_has(Isa::kAvx512) && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512bf16");
  }
  return false;
}

bool has_matrix_units() {
  unsigned int eax = 0;
  unsigned int ebx = 0;
  unsigned int ecx = 0;
  unsigned int edx = 0;
  constexpr unsigned int kAmxBf16 = 1U << 22;  // of edx, leaf 7 (Intel's manual, CPUID)
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & kAmxBf16) != 0;
}

template <>
std::span<const Implementation<AttentionTask<float>>> implementations<AttentionTask<float>>() {
  static constexpr Implementation<AttentionTask<float>> kAll[] = {
      {Isa::kPlain, &attend_plain},
      {Isa::kAvx2, &attend_avx2},
      {Isa::kAvx512, &attend_avx512},
  };
  return kAll;
}

template <>
std::span<const Implementation<AttentionTask<Bfloat16>>>
implementations<AttentionTask<Bfloat16>>() {
  static constexpr Implementation<AttentionTask<Bfloat16>> kAll[] = {
      {Isa::kPlain, &attend_plain},
      {Isa::kAvx2, &attend_avx2},
      {Isa::kAvx512, &attend_avx512},
      {Isa::kAvx512Bf16, &attend_avx512bf16},
  };
  return kAll;
}

template <>
std::span<const Implementation<RotationTask<float>>> implementations<RotationTask<float>>() {
  static constexpr Implementation<RotationTask<float>> kAll[] = {
      {Isa::kPlain, &rotate_plain},
      {Isa::kAvx2, &rotate_avx2},
  };
  return kAll;
}

template <>
std::span<const Implementation<RotationTask<Bfloat16>>> implementations<RotationTask<Bfloat16>>() {
  static constexpr Implementation<RotationTask<Bfloat16>> kAll[] = {
      {Isa::kPlain, &rotate_plain},
      {Isa::kAvx2, &rotate_avx2},
  };
  return kAll;
}

template <>
std::span<const Implementation<LinearTask>> implementations<LinearTask>() {
  static constexpr Implementation<LinearTask> kAll[] = {
      {Isa::kPlain, &linear_plain},
      {Isa::kAvx512Bf16, &linear_avx512bf16},
  };
  return kAll;
}

template <>
std::span<const Implementation<NormTask>> implementations<NormTask>() {
  static constexpr Implementation<NormTask> kAll[] = {
      {Isa::kPlain, &norm_plain},
      {Isa::kAvx2, &norm_avx2},
      {Isa::kAvx512Bf16, &norm_avx512bf16},
  };
  return kAll;
}

}  // namespace longhaul::kernels
