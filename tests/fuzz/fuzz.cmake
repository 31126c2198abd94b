# libFuzzer programs over what reads foreign bytes, one for each tests/fuzz/NAME_fuzz.cpp: scripts/fuzz builds and runs
# them. Every room is instrumented (-fsanitize=fuzzer-no-link in LONGHAUL_SANITIZE); these bring libFuzzer's main().
if(NOT LONGHAUL_FUZZ)
  return()
endif()

function(longhaul_fuzz name)
  cmake_parse_arguments(FUZZ "" "" "SOURCES;LINKS;PRIVATE" ${ARGN})
  list(TRANSFORM FUZZ_LINKS PREPEND longhaul_)
  list(TRANSFORM FUZZ_SOURCES PREPEND "${PROJECT_SOURCE_DIR}/")
  add_executable(fuzz_${name} "${PROJECT_SOURCE_DIR}/tests/fuzz/${name}_fuzz.cpp" ${FUZZ_SOURCES})
  target_include_directories(fuzz_${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(fuzz_${name} PRIVATE ${FUZZ_LINKS} ${FUZZ_PRIVATE} longhaul_warnings)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endfunction()

longhaul_fuzz(journal LINKS store PRIVATE nlohmann_json::nlohmann_json)
longhaul_fuzz(card LINKS encode PRIVATE nlohmann_json::nlohmann_json)
longhaul_fuzz(csv LINKS input)
longhaul_fuzz(fasta LINKS input)
longhaul_fuzz(json_lines LINKS input)
longhaul_fuzz(tar LINKS input)
# Not all of the score room: its solvers take minutes to build, and read nothing.
longhaul_fuzz(npz SOURCES lib/score/npz.cpp lib/score/npy.cpp LINKS store PRIVATE longhaul_score_headers)
# The vision room needs OpenCV; its readers of headers need nothing.
longhaul_fuzz(tiff SOURCES lib/vision/tiff_header.cpp lib/vision/image_kind.cpp LINKS domain)
foreach(name npz tiff)
  target_include_directories(fuzz_${name} PRIVATE "${PROJECT_SOURCE_DIR}/lib")
endforeach()
