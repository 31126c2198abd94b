// The .npz format: a zip archive of .npy arrays, entries stored, as numpy.savez writes it.
// Our own, and small: a head is five short arrays, and the zip libraries at hand (libzip, minizip)
// would each be one more package that the core needs to build.
// Pure functions; any thread. Damage, compressed entries and archives over 4 GiB are an
// Error(kBadData) that names `where`.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace longhaul::score {

// Entry name ("coef.npy") to its bytes.
using ZipEntries = std::map<std::string, std::string, std::less<>>;

ZipEntries read_stored_zip(std::string_view bytes, const std::string& where);
std::string write_stored_zip(const ZipEntries& entries);  // equal entries, equal bytes

}  // namespace longhaul::score
