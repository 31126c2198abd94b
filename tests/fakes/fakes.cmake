# Stand-ins for a device and an encoder; the tests and longhaul-fake link them.
if(LONGHAUL_TESTS)
  add_library(longhaul_fakes STATIC tests/fakes/fake_device.cpp tests/fakes/fake_encoder.cpp)
  target_include_directories(longhaul_fakes PUBLIC "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(longhaul_fakes PUBLIC longhaul_encode longhaul_device longhaul_plan
                                              nlohmann_json::nlohmann_json
                                       PRIVATE longhaul_warnings)
  longhaul_compile_together(longhaul_fakes longhaul_headers)
endif()
