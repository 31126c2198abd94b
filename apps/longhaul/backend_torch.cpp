#include "backend.hpp"
#include "torch/inspect_module.hpp"
#include "torch/process_settings.hpp"
#include "torch/product_peak.hpp"
#include "torch/torchscript_encoder.hpp"

namespace longhaul::app {

Backend make_backend(FreedMemory freed) {
  set_up_process(freed);
  return {.read_model = &read_torchscript_model,
          .make_encoder = [](const ModelFile& model, const EncoderOptions& options,
                             Log& log) { return longhaul::make_encoder(model, options, log); },
          .describe_module = &longhaul::describe_module,
          .draft_card = &longhaul::draft_card,
          .measure_product_peak = &longhaul::measure_product_peak};
}

}  // namespace longhaul::app
