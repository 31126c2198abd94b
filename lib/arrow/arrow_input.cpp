#include "arrow/arrow_input.hpp"

#include "arrow/decompress.hpp"
#include "arrow/parquet_reader.hpp"

namespace longhaul {

InputBackends arrow_backends() {
  InputBackends backends;
  backends.decompress = decompress;
  backends.open_parquet = open_parquet;
  return backends;
}

}  // namespace longhaul
