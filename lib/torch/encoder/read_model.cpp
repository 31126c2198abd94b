#include <caffe2/serialize/inline_container.h>

#include "encode/model_kind.hpp"
#include "torch/encoder/torchscript_encoder.hpp"
#include "torch/process/torch_errors.hpp"

namespace longhaul::torch_room {
namespace {

constexpr const char* kCardEntry = "extra/longhaul.json";

// Reads the zip's directory and one entry; nothing of the archive is run.
std::optional<std::string> embedded_card(const std::string& path) {
  try {
    caffe2::serialize::PyTorchStreamReader reader(path);
    if (!reader.hasRecord(kCardEntry)) {
      return std::nullopt;
    }
    const auto [data, size] = reader.getRecord(kCardEntry);
    return std::string(static_cast<const char*>(data.get()), size);
  } catch (const std::exception& failure) {
    throw cannot_be_read(path, failure);
  }
}

}  // namespace

encode::ModelFile read_torchscript_model(const std::string& path,
                                         const std::optional<std::string>& card_path,
                                         const std::optional<std::string>& sha256) {
  encode::require_archive(path);
  return encode::read_model_file(path, card_path, sha256, embedded_card);
}

}  // namespace longhaul::torch_room
