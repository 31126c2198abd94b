foreach(part TORCH OPENCV ARROW)
  if(NOT LONGHAUL_${part}_VERSION)
    set(LONGHAUL_${part}_VERSION "none")
  endif()
endforeach()
add_custom_target(longhaul_version
  COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${PROJECT_SOURCE_DIR}
          -DOUTPUT=${PROJECT_BINARY_DIR}/generated/version_values.hpp
          -DPROJECT_VERSION=${PROJECT_VERSION}
          "-DCMAKE_CXX_COMPILER_ID=${CMAKE_CXX_COMPILER_ID}"
          -DCMAKE_CXX_COMPILER_VERSION=${CMAKE_CXX_COMPILER_VERSION}
          "-DLONGHAUL_TORCH_VERSION=${LONGHAUL_TORCH_VERSION}"
          "-DLONGHAUL_OPENCV_VERSION=${LONGHAUL_OPENCV_VERSION}"
          "-DLONGHAUL_ARROW_VERSION=${LONGHAUL_ARROW_VERSION}"
          -P ${PROJECT_SOURCE_DIR}/cmake/WriteVersion.cmake
  BYPRODUCTS ${PROJECT_BINARY_DIR}/generated/version_values.hpp)

set(app_sources main.cpp commands.cpp config_options.cpp console.cpp evaluate.cpp
    probe.cpp probe_cv.cpp probe_fit.cpp probe_labels.cpp probe_predict.cpp progress.cpp
    progress_text.cpp signals.cpp version.cpp)
list(TRANSFORM app_sources PREPEND "${PROJECT_SOURCE_DIR}/apps/longhaul/")
add_executable(longhaul ${app_sources})
add_dependencies(longhaul longhaul_version)
target_include_directories(longhaul PRIVATE "${PROJECT_SOURCE_DIR}/apps/longhaul"
                                            "${PROJECT_BINARY_DIR}/generated")
target_link_libraries(longhaul PRIVATE longhaul_base longhaul_config longhaul_score CLI11::CLI11
                                       nlohmann_json::nlohmann_json spdlog::spdlog
                                       longhaul_warnings)

if(LONGHAUL_TESTS)
  set(test_app_sources console.cpp progress.cpp progress_text.cpp signals.cpp)
  list(TRANSFORM test_app_sources PREPEND "${PROJECT_SOURCE_DIR}/apps/longhaul/")
  add_executable(test_app ${test_app_sources} "${PROJECT_SOURCE_DIR}/tests/app/console_test.cpp"
                          "${PROJECT_SOURCE_DIR}/tests/app/progress_test.cpp")
  target_include_directories(test_app PRIVATE "${PROJECT_SOURCE_DIR}/apps/longhaul")
  target_link_libraries(test_app PRIVATE longhaul_base longhaul_config longhaul_test_main
                                         nlohmann_json::nlohmann_json spdlog::spdlog
                                         longhaul_warnings)
  add_test(NAME app COMMAND test_app)
endif()
