#include "vision/decode.hpp"

namespace longhaul::vision {

std::optional<Defect> decode_heif(Bytes file, const DecodeOptions&, RowSink&) {
  return Defect{Reason::kUnsupported,
                std::string(sniff(file).name) + " is not decoded: this build has no libheif"};
}

}  // namespace longhaul::vision
