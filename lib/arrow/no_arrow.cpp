#include "arrow/arrow_input.hpp"
#include "arrow/parquet_writer.hpp"

namespace longhaul::arrow_room {

input::InputBackends arrow_backends() {
  return {};
}

export_room::MakeSink parquet_sink() {
  return nullptr;
}

}  // namespace longhaul::arrow_room
