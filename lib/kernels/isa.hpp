// The instruction sets that kernels are written for, and which of them this machine has.
// Any thread. Nothing here chooses for a kernel: its caller hands it the set to use.
#pragma once

#include <optional>
#include <string_view>

namespace longhaul::kernels {

// Each includes those before it. kPlain is what the compiler makes of a vector of four numbers
// without being allowed anything: SSE2 on x86-64, NEON on arm64.
enum class Isa {
  kPlain,
  kAvx2,        // with FMA
  kAvx512,      // F, DQ, VL
  kAvx512Bf16,  // BW and BF16 too
};
inline constexpr Isa kIsas[] = {Isa::kPlain, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16};

std::string_view to_string(Isa isa);  // plain, avx2, avx512, avx512bf16
std::optional<Isa> isa_from_string(std::string_view name);

bool machine_has(Isa isa);
bool has_matrix_units();  // that multiply bfloat16: AMX
Isa best_isa();           // the last of kIsas that this machine has

}  // namespace longhaul::kernels
