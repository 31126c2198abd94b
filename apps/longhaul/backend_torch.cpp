#include "backend.hpp"
#include "torch/inspect_module.hpp"
#include "torch/torchscript_encoder.hpp"

namespace longhaul::app {

Backend make_backend() {
  return {.read_model = &read_torchscript_model,
          .make_encoder = [](const ModelFile& model, const EncoderOptions& options,
                             Log& log) { return longhaul::make_encoder(model, options, log); },
          .describe_module = &longhaul::describe_module,
          .draft_card = &longhaul::draft_card};
}

}  // namespace longhaul::app
