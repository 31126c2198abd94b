# longhaul::torch: LibTorch's CPU libraries as our own imported targets. find_package(Torch) of a
# CUDA wheel demands a CUDA toolkit; these two libraries serve CPU, and CUDA once libtorch_cuda.so
# is loaded at run time.
set(LONGHAUL_TORCH_DIR "$ENV{LONGHAUL_TORCH_DIR}" CACHE PATH
    "Folder of a LibTorch (holds include/ and lib/); default: the torch wheel")
set(torch_dir "${LONGHAUL_TORCH_DIR}")
if(NOT torch_dir)
  longhaul_python_package(torch torch_dir)
endif()
if(NOT EXISTS "${torch_dir}/include/torch/script.h")
  message(FATAL_ERROR "no LibTorch in '${torch_dir}': run scripts/setup, or pass "
                      "-DLONGHAUL_TORCH_DIR=<folder with include/ and lib/>")
endif()

foreach(library torch_cpu c10)
  add_library(longhaul_lib${library} SHARED IMPORTED)
  set_target_properties(longhaul_lib${library} PROPERTIES
    IMPORTED_LOCATION "${torch_dir}/lib/${CMAKE_SHARED_LIBRARY_PREFIX}${library}${CMAKE_SHARED_LIBRARY_SUFFIX}")
endforeach()
add_library(longhaul_libtorch INTERFACE)
target_include_directories(longhaul_libtorch SYSTEM INTERFACE
  "${torch_dir}/include" "${torch_dir}/include/torch/csrc/api/include")
target_compile_definitions(longhaul_libtorch INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
target_link_libraries(longhaul_libtorch INTERFACE longhaul_libtorch_cpu longhaul_libc10)
if(NOT APPLE)
  # First among the needed libraries, before anything that could bring a BLAS: LibTorch would take
  # sgemm_ from that one, at a twenty-fifth of the speed.
  target_link_options(longhaul_libtorch INTERFACE
    "LINKER:--push-state,--no-as-needed,${torch_dir}/lib/libtorch_cpu.so,--pop-state")
endif()
add_library(longhaul::torch ALIAS longhaul_libtorch)

file(READ "${torch_dir}/include/torch/headeronly/version.h" version_text)
foreach(part MAJOR MINOR PATCH)
  string(REGEX MATCH "define TORCH_VERSION_${part} ([0-9]+)" matched "${version_text}")
  set(torch_${part} "${CMAKE_MATCH_1}")
endforeach()
set(LONGHAUL_TORCH_VERSION "${torch_MAJOR}.${torch_MINOR}.${torch_PATCH}")
set(LONGHAUL_TORCH_LIB_DIR "${torch_dir}/lib")
file(REAL_PATH "${torch_dir}" LONGHAUL_TORCH_REAL_DIR)
list(APPEND LONGHAUL_WHEELS "${torch_dir}" "${torch_dir}/../nvidia")
message(STATUS "LibTorch ${LONGHAUL_TORCH_VERSION} in ${torch_dir}")
