#include "kernels/isa.hpp"

namespace longhaul::kernels {

std::string_view to_string(Isa isa) {
  switch (isa) {
    case Isa::kPlain:
      return "plain";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx512Bf16:
      return "avx512bf16";
  }
  return "";
}

std::optional<Isa> isa_from_string(std::string_view name) {
  for (const Isa isa : kIsas) {
    if (to_string(isa) == name) {
      return isa;
    }
  }
  return std::nullopt;
}

Isa best_isa() {
  Isa best = Isa::kPlain;
  for (const Isa isa : kIsas) {
    best = machine_has(isa) ? isa : best;
  }
  return best;
}

}  // namespace longhaul::kernels
