#include "arrow/arrow_input.hpp"

namespace longhaul {

InputBackends arrow_backends() {
  return {};
}

}  // namespace longhaul
