#include "arrow/arrow_input.hpp"

namespace longhaul::arrow_room {

input::InputBackends arrow_backends() {
  return {};
}

}  // namespace longhaul::arrow_room
