// CSV and TSV: chunks change nothing, and any position can be entered again.
#include "fuzz/reader_property.hpp"

using namespace longhaul;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const input::InputFormat format : {input::InputFormat::kCsv, input::InputFormat::kTsv}) {
    input::SourceSettings settings;
    settings.format = format;
    fuzz::check_reader(input::open_delimited, fuzz::text_of(data, size), settings);
  }
  return 0;
}
