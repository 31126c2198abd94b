#include "torch/graph/isa_choice.hpp"

#include "base/error.hpp"

namespace longhaul::torch_room {
namespace {

std::optional<kernels::Isa> chosen_before(const encode::EncoderOptions& options) {
  if (!options.choices.is_object() || !options.choices.contains("isa")) {
    return std::nullopt;
  }
  const auto isa = kernels::isa_from_string(options.choices["isa"].get<std::string>());
  return isa && kernels::machine_has(*isa) ? isa : std::nullopt;
}

}  // namespace

kernels::Isa choose_isa(const encode::EncoderOptions& options) {
  if (const auto before = chosen_before(options)) {
    return *before;
  }
  if (options.cpu_isa == "auto") {
    return kernels::best_isa();
  }
  const auto wanted = kernels::isa_from_string(options.cpu_isa);
  if (!wanted || !kernels::machine_has(*wanted)) {
    throw Error(ExitCode::kUsage, "--cpu-isa " + options.cpu_isa + ", which this machine lacks",
                "leave it out, or choose " + std::string(kernels::to_string(kernels::best_isa())) +
                    " or one that it includes");
  }
  return *wanted;
}

}  // namespace longhaul::torch_room
