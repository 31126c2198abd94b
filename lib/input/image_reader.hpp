// The images of a run as one RecordReader: every input in its order, then what --files-from lists.
// A record's id is its path relative to the input, its payload an ImagePlace; nothing is decoded.
// How many there are is counted by a thread beside the reading, for the progress display.
// One thread at a time.
#pragma once

#include <memory>

#include "input/record_reader.hpp"

namespace longhaul::input {

// Throws Error: kUsage for inputs and flags that do not fit images, kBadData where there is no
// image at all, kIo for an input that cannot be opened.
std::unique_ptr<RecordReader> open_images(const InputSettings& settings);

}  // namespace longhaul::input
