// Attributes of an object, and the types of text and truth in files. One thread. Errors: kInternal;
// kBadData for a text that HDF5 cannot hold.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "export/table_sink.hpp"
#include "h5/handle.hpp"

namespace longhaul::h5 {

// Text of any length, UTF-8.
Handle text_type();
// What h5py reads as bool: an enumeration of a byte.
Handle flag_type();

// What a text is of, for a message: "row 7, column id". Throws where it holds a zero byte, which
// would end it, or is not UTF-8.
void require_text(std::string_view text, const std::string& what);

void put_text(hid_t object, const char* name, std::string_view text);
void put_count(hid_t object, const char* name, std::uint64_t count);

}  // namespace longhaul::h5
