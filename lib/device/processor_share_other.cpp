// Where neither affinity nor cgroups exist.
#include "device/processor_share.hpp"

namespace longhaul::device {

ProcessorShare processor_share(const std::string& /*root*/) {
  return {};
}

}  // namespace longhaul::device
