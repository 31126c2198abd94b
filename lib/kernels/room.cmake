set(sources attention_plain.cpp isa.cpp linear_plain.cpp norm_plain.cpp rotation_plain.cpp)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  list(APPEND sources attention_avx512bf16.cpp attention_x86.cpp implementations_x86.cpp
                      linear_avx512bf16.cpp norm_x86.cpp rotation_x86.cpp)
else()
  list(APPEND sources implementations_other.cpp)
endif()
longhaul_room(kernels SOURCES ${sources})
# Their loops are written for vector registers: unrolled, with fused multiply-add where there is one.
# GCC 12's own AVX-512 header leaves variables uninitialised on purpose, and warns of it.
foreach(source ${sources})
  if(source MATCHES "^(attention|linear|norm)")
    set(options -ffp-contract=fast -Wno-psabi $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  else()
    set(options -ffp-contract=off)
  endif()
  set_source_files_properties("${PROJECT_SOURCE_DIR}/lib/kernels/${source}" PROPERTIES
    COMPILE_OPTIONS "-O3;${options}")
endforeach()
# Compiled with options of their own, no header of which was compiled before.
set_target_properties(longhaul_kernels PROPERTIES UNITY_BUILD OFF DISABLE_PRECOMPILE_HEADERS ON)
longhaul_test(kernels SOURCES attention_bits_test.cpp attention_test.cpp isa_test.cpp linear_test.cpp
  norm_test.cpp rotation_test.cpp
  LINKS kernels)
if(TARGET test_kernels)
  # What they compare with is computed number by number.
  target_compile_options(test_kernels PRIVATE -O2 -ffp-contract=off)
  set_target_properties(test_kernels PROPERTIES DISABLE_PRECOMPILE_HEADERS ON)
endif()
