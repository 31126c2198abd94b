#include "backend.hpp"
#include "torch/device/devices.hpp"
#include "torch/encoder/inspect_module.hpp"
#include "torch/encoder/torchscript_encoder.hpp"
#include "torch/graph/operation_times.hpp"
#include "torch/graph/product_peak.hpp"
#include "torch/process/process_settings.hpp"
#include "torch/search/torch_products.hpp"

namespace longhaul::app {

Backend make_backend(device::FreedMemory freed) {
  torch_room::set_up_process(freed);
  return {
      .models = {.read_model = &torch_room::read_torchscript_model,
                 .make_encoder =
                     [](const encode::ModelFile& model, const encode::EncoderOptions& options,
                        Log& log) {
                       return longhaul::torch_room::make_encoder(model, options, log);
                     }},
      .describe_module = &longhaul::torch_room::describe_module,
      .draft_card = &longhaul::torch_room::draft_card,
      .measure_product_peak = &longhaul::torch_room::measure_product_peak,
      .operation_times = &longhaul::torch_room::operation_times,
      .try_device =
          [](const std::string& name) { return longhaul::torch_room::open_device(name)->name(); },
      .make_products = &longhaul::torch_room::make_products};
}

std::vector<std::string> list_devices() {
  return torch_room::list_devices();
}

}  // namespace longhaul::app
