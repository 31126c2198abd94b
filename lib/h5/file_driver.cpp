#include "h5/file_driver.hpp"

#include <H5FDpublic.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "h5/handle.hpp"

namespace longhaul::h5 {
namespace {

// The access list holds this.
struct DriverInfo {
  DrivenFile* driven;
};

// HDF5 knows an open file by its first member.
struct OpenFile {
  H5FD_t base;
  DrivenFile* driven;
  haddr_t end_of_addresses;
  haddr_t end_of_file;
};

OpenFile& open_file(H5FD_t* file) {
  return *reinterpret_cast<OpenFile*>(file);
}
const OpenFile& open_file(const H5FD_t* file) {
  return *reinterpret_cast<const OpenFile*>(file);
}

template <typename Work>
void guarded(DrivenFile& driven, const Work& work) {
  if (driven.error || driven.discarded) {
    return;
  }
  try {
    work();
  } catch (...) {
    driven.error = std::current_exception();
  }
}

H5FD_t* open(const char*, unsigned, hid_t access, haddr_t) {
  const auto* info = static_cast<const DriverInfo*>(H5Pget_driver_info(access));
  if (info == nullptr) {
    return nullptr;
  }
  auto made = std::make_unique<OpenFile>();
  made->driven = info->driven;
  return &made.release()->base;
}

herr_t close(H5FD_t* file) {
  delete &open_file(file);
  return 0;
}

int compare(const H5FD_t* a, const H5FD_t* b) {
  return a == b ? 0 : (std::less<>()(a, b) ? -1 : 1);
}

herr_t query(const H5FD_t*, unsigned long* flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
           H5FD_FEAT_AGGREGATE_SMALLDATA;
  return 0;
}

haddr_t end_of_addresses(const H5FD_t* file, H5FD_mem_t) {
  return open_file(file).end_of_addresses;
}

herr_t set_end_of_addresses(H5FD_t* file, H5FD_mem_t, haddr_t address) {
  open_file(file).end_of_addresses = address;
  return 0;
}

haddr_t end_of_file(const H5FD_t* file, H5FD_mem_t) {
  return open_file(file).end_of_file;
}

herr_t read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, size_t size, void* buffer) {
  OpenFile& open = open_file(file);
  std::memset(buffer, 0, size);  // what lies behind the end
  guarded(*open.driven, [&] {
    open.driven->file->read_at(address, std::span(static_cast<std::byte*>(buffer), size));
  });
  return 0;
}

herr_t write(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, size_t size, const void* buffer) {
  OpenFile& open = open_file(file);
  guarded(*open.driven, [&] {
    open.driven->file->write_at(address, std::span(static_cast<const std::byte*>(buffer), size));
  });
  open.end_of_file = std::max(open.end_of_file, address + size);
  return 0;
}

// The file is as long as its addresses say, also where its last bytes were never written.
herr_t truncate(H5FD_t* file, hid_t, hbool_t) {
  OpenFile& open = open_file(file);
  if (open.end_of_file != open.end_of_addresses) {
    guarded(*open.driven, [&] { open.driven->file->truncate(open.end_of_addresses); });
    open.end_of_file = open.end_of_addresses;
  }
  return 0;
}

H5FD_class_t driver_class() {
  H5FD_class_t made{};
#ifdef H5FD_CLASS_VERSION
  made.version = H5FD_CLASS_VERSION;
  made.value = static_cast<H5FD_class_value_t>(512);  // from here on they are for tests
#endif
  made.name = "longhaul";
  made.maxaddr = static_cast<haddr_t>(INT64_MAX);
  made.fc_degree = H5F_CLOSE_STRONG;
  made.fapl_size = sizeof(DriverInfo);
  made.open = &open;
  made.close = &close;
  made.cmp = &compare;
  made.query = &query;
  made.get_eoa = &end_of_addresses;
  made.set_eoa = &set_end_of_addresses;
  made.get_eof = &end_of_file;
  made.read = &read;
  made.write = &write;
  made.truncate = &truncate;
  const H5FD_mem_t one_list[] = H5FD_FLMAP_SINGLE;
  std::copy(std::begin(one_list), std::end(one_list), made.fl_map);
  return made;
}

}  // namespace

void drive_by(hid_t access, DrivenFile& driven) {
  static const H5FD_class_t kClass = driver_class();
  const Handle driver(H5FDregister(&kClass), &H5FDunregister, "a driver");
  const DriverInfo info{&driven};
  require(H5Pset_driver(access, driver.id(), &info), "an access list");
}

}  // namespace longhaul::h5
