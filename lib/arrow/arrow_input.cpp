#include "arrow/arrow_input.hpp"

#include "arrow/decompress.hpp"

namespace longhaul {

InputBackends arrow_backends() {
  InputBackends backends;
  backends.decompress = decompress;
  return backends;
}

}  // namespace longhaul
