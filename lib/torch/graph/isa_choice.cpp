#include "torch/graph/isa_choice.hpp"

#include "base/error.hpp"

namespace longhaul::torch_room {
namespace {

std::optional<kernels::Isa> isa_here(const std::string& name) {
  const auto isa = kernels::isa_from_string(name);
  return isa && kernels::machine_has(*isa) ? isa : std::nullopt;
}

}  // namespace

kernels::Isa choose_isa(const encode::EncoderOptions& options) {
  if (const auto before = isa_here(options.chosen_before("isa").value_or(""))) {
    return *before;
  }
  if (options.cpu_isa == "auto") {
    return kernels::best_isa();
  }
  const auto wanted = isa_here(options.cpu_isa);
  if (!wanted) {
    throw Error(ExitCode::kUsage, "--cpu-isa " + options.cpu_isa + ", which this machine lacks",
                "leave it out, or choose " + std::string(kernels::to_string(kernels::best_isa())) +
                    " or one that it includes");
  }
  return *wanted;
}

}  // namespace longhaul::torch_room
