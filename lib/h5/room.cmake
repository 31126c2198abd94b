# The only room that sees HDF5. The program never links it: it is a module beside the program,
# loaded for `longhaul export --to h5` alone.
if(NOT LONGHAUL_HDF5)
  return()
endif()
find_path(HDF5_INCLUDE_DIR hdf5.h PATH_SUFFIXES hdf5/serial REQUIRED)
find_library(HDF5_LIBRARY NAMES hdf5_serial hdf5 PATH_SUFFIXES hdf5/serial REQUIRED)
add_library(longhaul_libhdf5 INTERFACE)
target_include_directories(longhaul_libhdf5 SYSTEM INTERFACE "${HDF5_INCLUDE_DIR}")
target_link_libraries(longhaul_libhdf5 INTERFACE "${HDF5_LIBRARY}")

longhaul_room(h5
  SOURCES appender.cpp attributes.cpp file_driver.cpp handle.cpp hdf5_file.cpp matrix_sink.cpp record_sink.cpp
  LINKS base domain export)
# Its users see HDF5's header.
target_link_libraries(longhaul_h5 PUBLIC longhaul_libhdf5)

add_library(longhaul_h5_module MODULE "${PROJECT_SOURCE_DIR}/lib/h5/module.cpp")
target_link_libraries(longhaul_h5_module PRIVATE longhaul_h5 longhaul_warnings)
set_target_properties(longhaul_h5_module PROPERTIES OUTPUT_NAME longhaul_h5
                      LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")

longhaul_test(h5 SOURCES h5_sink_test.cpp ../fakes/fault_files.cpp LINKS h5 export)
