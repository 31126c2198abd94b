#include "base/error.hpp"
#include "input/image_reader.hpp"
#include "input/record_reader.hpp"
#include "input/sequence_reader.hpp"

namespace longhaul::input {

std::unique_ptr<RecordReader> open_input(const InputSettings& settings,
                                         const InputBackends& backends) {
  if (settings.images) {
    return open_images(settings);
  }
  if (settings.format == InputFormat::kImages) {
    // Else the paths of the files would be embedded as sequences.
    throw Error(ExitCode::kUsage, "this model takes sequences; --format images is of images",
                "leave out --format, or name a model of images");
  }
  return std::make_unique<SequenceReader>(settings, backends);
}

}  // namespace longhaul::input
