#include "arrow/arrow_input.hpp"

#include "arrow/decompress.hpp"
#include "arrow/parquet_reader.hpp"

namespace longhaul::arrow_room {

input::InputBackends arrow_backends() {
  input::InputBackends backends;
  backends.decompress = decompress;
  backends.open_parquet = open_parquet;
  return backends;
}

}  // namespace longhaul::arrow_room
