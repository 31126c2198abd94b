#include "input/image_reader.hpp"
#include "input/record_reader.hpp"
#include "input/sequence_reader.hpp"

namespace longhaul::input {

std::unique_ptr<RecordReader> open_input(const InputSettings& settings,
                                         const InputBackends& backends) {
  if (settings.images || settings.format == InputFormat::kImages) {
    return open_images(settings);
  }
  return std::make_unique<SequenceReader>(settings, backends);
}

}  // namespace longhaul::input
