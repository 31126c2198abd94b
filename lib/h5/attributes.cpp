#include "h5/attributes.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::h5 {
namespace {

void put(hid_t object, const char* name, hid_t type, hid_t memory_type, const void* value) {
  const Handle one(H5Screate(H5S_SCALAR), &H5Sclose, "a scalar");
  const Handle attribute(H5Acreate2(object, name, type, one.id(), H5P_DEFAULT, H5P_DEFAULT),
                         &H5Aclose, "an attribute");
  require(H5Awrite(attribute.id(), memory_type, value), "an attribute");
}

}  // namespace

Handle text_type() {
  Handle type(H5Tcopy(H5T_C_S1), &H5Tclose, "a type");
  require(H5Tset_size(type.id(), H5T_VARIABLE), "a type");
  require(H5Tset_cset(type.id(), H5T_CSET_UTF8), "a type");
  return type;
}

Handle flag_type() {
  Handle type(H5Tenum_create(H5T_STD_I8LE), &H5Tclose, "a type");
  const std::int8_t values[] = {0, 1};
  require(H5Tenum_insert(type.id(), "FALSE", &values[0]), "a type");
  require(H5Tenum_insert(type.id(), "TRUE", &values[1]), "a type");
  return type;
}

void require_text(std::string_view text, const std::string& what) {
  if (text.find('\0') != std::string_view::npos || !is_utf8(text)) {
    throw Error(ExitCode::kBadData, what + " is no text for HDF5: it holds a NUL, or is not UTF-8",
                "correct it in the input and embed again (--reuse computes only what is new)");
  }
}

void put_text(hid_t object, const char* name, std::string_view text) {
  const Handle type = text_type();
  const std::string ended(text);
  const char* value = ended.c_str();
  put(object, name, type.id(), type.id(), &value);
}

void put_count(hid_t object, const char* name, std::uint64_t count) {
  const auto value = static_cast<std::int64_t>(count);
  put(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

}  // namespace longhaul::h5
