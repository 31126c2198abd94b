#include "base/error.hpp"
#include "input/record_reader.hpp"
#include "input/sequence_reader.hpp"

namespace longhaul {

std::unique_ptr<RecordReader> open_input(const InputSettings& settings,
                                         const InputBackends& backends) {
  if (settings.images || settings.format == InputFormat::kImages) {
    throw Error(ExitCode::kUsage, "images are no sequences", "name sequence files");
  }
  return std::make_unique<SequenceReader>(settings, backends);
}

}  // namespace longhaul
