// FASTA: chunks change nothing, and any position can be entered again.
#include "fuzz/reader_property.hpp"

using namespace longhaul;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  input::SourceSettings settings;
  settings.format = input::InputFormat::kFasta;
  settings.keep_columns = {"description"};
  fuzz::check_reader(input::open_fasta, fuzz::text_of(data, size), settings);
  return 0;
}
