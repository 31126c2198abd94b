// Decompression of gzip, Zstandard, bzip2 and LZ4 streams, several members or frames in a row
// included.
// One thread at a time. Error(kBadData) where the stream is damaged or cut short, with the byte of
// the compressed file.
#pragma once

#include <memory>
#include <string>

#include "input/byte_source.hpp"

namespace longhaul::arrow_room {

std::unique_ptr<input::ByteSource> decompress(std::unique_ptr<input::ByteSource> stored,
                                              input::Compression compression,
                                              const std::string& name);

}  // namespace longhaul::arrow_room
