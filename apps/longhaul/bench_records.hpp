// The records that `longhaul bench` embeds. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "input/record_reader.hpp"
#include "prepare/preprocessor.hpp"

namespace longhaul::app {

// So many records of these letters, lengths spread by a tenth around the middle one; the same each
// time. Without letters they have no content, for pixels that generated_pixels() makes.
std::unique_ptr<input::RecordReader> generated_records(std::string letters, std::uint64_t records,
                                                       std::uint32_t middle_length);

// The first so many of an input.
std::unique_ptr<input::RecordReader> first_records(std::unique_ptr<input::RecordReader> input,
                                                   std::uint64_t records);

// Gives each record an image of noise, RGB with `size` pixels a side, whatever its content:
// nothing is read or decoded, and the vision room is not needed. Any thread.
std::unique_ptr<prepare::Preprocessor> generated_pixels(std::uint32_t size);

}  // namespace longhaul::app
