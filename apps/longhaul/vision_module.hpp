// Loads the vision module, liblonghaul_vision.so beside the program, and makes its Preprocessor.
// Only image runs call this: the module needs more than a hundred libraries. It stays loaded.
#pragma once

#include <memory>

#include "prepare/image_settings.hpp"

namespace longhaul::app {

// Throws Error: kUnavailable when there is no module or it belongs to another build, kBadData for a
// card that it cannot serve.
std::unique_ptr<prepare::Preprocessor> load_image_preprocessor(
    const prepare::ImageSettings& settings);

}  // namespace longhaul::app
