// What a path is that was given as a model, by its content: so that weights of other programs are
// refused by name, with the exporter that makes an archive of them, before LibTorch is asked.
// Reads a few blocks of the file and runs nothing of it; any thread.
#pragma once

#include <filesystem>
#include <string>

namespace longhaul::encode {

// Returns when `path` may be a TorchScript archive: a zip file with code in it. Throws
// Error(kBadData) for anything else, Error(kIo) when nothing is there or it cannot be read.
void require_archive(const std::string& path);

}  // namespace longhaul::encode
