// JSON lines: chunks change nothing, and any position can be entered again.
#include "fuzz/reader_property.hpp"

using namespace longhaul;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  input::SourceSettings settings;
  settings.format = input::InputFormat::kJsonLines;
  settings.keep_columns = {"label"};
  fuzz::check_reader(input::open_json_lines, fuzz::text_of(data, size), settings);
  return 0;
}
