# Sources by the dozen, each header of theirs read once, and those of `headers` precompiled; nothing
# without LONGHAUL_UNITY.
function(longhaul_compile_together target headers)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${LONGHAUL_UNITY} UNITY_BUILD_BATCH_SIZE 12)
  if(LONGHAUL_UNITY)
    target_precompile_headers(${target} REUSE_FROM ${headers})
  endif()
endfunction()

# With LONGHAUL_UNITY: the headers of others that most sources read, compiled once. Compiled for a
# library and for a program: gcc refuses the one in the other's place.
if(LONGHAUL_UNITY)
  function(longhaul_precompile name position)
    file(WRITE "${PROJECT_BINARY_DIR}/${name}.cpp" "")
    add_library(${name} OBJECT "${PROJECT_BINARY_DIR}/${name}.cpp")
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${name} PRIVATE ${position})
    target_link_libraries(${name} PRIVATE nlohmann_json::nlohmann_json longhaul_warnings)
    target_precompile_headers(${name} PRIVATE <nlohmann/json.hpp> <algorithm> <filesystem>
                              <functional> <memory> <optional> <span> <string> <vector> ${ARGN})
  endfunction()
  longhaul_precompile(longhaul_headers -fPIC)
  if(LONGHAUL_TESTS)
    longhaul_precompile(longhaul_test_headers -fPIE <catch2/catch.hpp>)
  endif()
endif()

# A room is a folder of lib/ and a CMake target of the same name. It sees the headers of the rooms
# it links and of no other: each room's include path holds one link, <room> -> lib/<room>.
#
#   longhaul_room(input SOURCES csv.cpp ... LINKS base PRIVATE Boost::headers)
function(longhaul_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LINKS;PRIVATE" ${ARGN})
  set(view "${PROJECT_BINARY_DIR}/rooms/${name}")
  file(MAKE_DIRECTORY "${view}")
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/lib/${name}" "${view}/${name}" SYMBOLIC)
  set(target longhaul_${name})
  set(sources ${ROOM_SOURCES})
  list(TRANSFORM sources PREPEND "${PROJECT_SOURCE_DIR}/lib/${name}/")
  list(TRANSFORM ROOM_LINKS PREPEND longhaul_)
  add_library(${target} STATIC ${sources})
  longhaul_compile_together(${target} longhaul_headers)
  target_include_directories(${target} PUBLIC "${view}")
  target_link_libraries(${target} PUBLIC ${ROOM_LINKS} PRIVATE longhaul_warnings ${ROOM_PRIVATE})
endfunction()

# A Catch2 program over one room's tests, registered with ctest.
#
#   longhaul_test(input SOURCES csv_test.cpp ... LINKS input)
function(longhaul_test name)
  cmake_parse_arguments(TEST "" "" "SOURCES;LINKS;PRIVATE" ${ARGN})
  if(NOT LONGHAUL_TESTS)
    return()
  endif()
  list(TRANSFORM TEST_LINKS PREPEND longhaul_)
  set(sources ${TEST_SOURCES})
  list(TRANSFORM sources PREPEND "${PROJECT_SOURCE_DIR}/tests/${name}/")
  add_executable(test_${name} ${sources})
  target_include_directories(test_${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(test_${name} PRIVATE ${TEST_LINKS} ${TEST_PRIVATE} longhaul_test_main
                                             longhaul_warnings)
  longhaul_compile_together(test_${name} longhaul_test_headers)
  add_test(NAME ${name} COMMAND test_${name})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77
                       ENVIRONMENT "LONGHAUL_SOURCE_DIR=${PROJECT_SOURCE_DIR}")
endfunction()
