// The entry point of the vision module: see prepare/image_settings.hpp.
#include <opencv2/core/utility.hpp>
#include <opencv2/core/utils/logger.hpp>

#include "vision/image_preprocessor.hpp"

extern "C" __attribute__((visibility("default"))) longhaul::prepare::Preprocessor*
longhaul_make_image_preprocessor(std::uint64_t abi,
                                 const longhaul::prepare::ImageSettings* settings) {
  if (abi != longhaul::prepare::kImageModuleAbi) {
    return nullptr;
  }
  // Images are decoded side by side; a second level of threads would only get in the way.
  cv::setNumThreads(1);
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  return std::make_unique<longhaul::vision::ImagePreprocessor>(*settings).release();
}
