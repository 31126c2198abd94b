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

# Everything but the encoder that is linked in: shared by the program and by longhaul-fake.
set(app_sources
  main.cpp bench.cpp bench_records.cpp child_processes.cpp commands.cpp completion.cpp completion_scripts.cpp config_options.cpp console.cpp diff.cpp diff_report.cpp doctor.cpp
  embed.cpp embed_processes.cpp
  evaluate.cpp export.cpp flag_list.cpp help.cpp 
  inspect.cpp inspect_run.cpp inspect_shards.cpp left_out_words.cpp man_page.cpp merge.cpp modules.cpp metrics_file.cpp metrics_text.cpp neighbour_table.cpp neighbours.cpp number_checks.cpp own_flags.cpp path_checks.cpp length_histogram.cpp plan.cpp plan_report.cpp processor.cpp push.cpp probe.cpp probe_cv.cpp
  probe_fit.cpp probe_labels.cpp probe_predict.cpp process_setup.cpp progress.cpp progress_text.cpp
  recycle.cpp registry.cpp remedy.cpp replay_paths.cpp report.cpp
  run_environment.cpp session_display.cpp signals.cpp
  terminal_text.cpp usable_threads.cpp verify.cpp verify_report.cpp version.cpp)
list(TRANSFORM app_sources PREPEND "${PROJECT_SOURCE_DIR}/apps/longhaul/")
add_library(longhaul_app OBJECT ${app_sources})
longhaul_compile_together(longhaul_app longhaul_headers)
# A type of its own file stands in a class: gcc warns of that outside the file it compiles.
set_source_files_properties("${PROJECT_SOURCE_DIR}/apps/longhaul/console.cpp" PROPERTIES
                            SKIP_UNITY_BUILD_INCLUSION ON)
add_dependencies(longhaul_app longhaul_version)
target_include_directories(longhaul_app PUBLIC "${PROJECT_SOURCE_DIR}/apps/longhaul"
                                               "${PROJECT_BINARY_DIR}/generated")
target_link_libraries(longhaul_app
  PUBLIC longhaul_base longhaul_config longhaul_input longhaul_prepare longhaul_encode
         longhaul_arrow longhaul_device longhaul_store longhaul_run longhaul_session
         longhaul_launch longhaul_score longhaul_export longhaul_report longhaul_doctor CLI11::CLI11
         nlohmann_json::nlohmann_json spdlog::spdlog ${CMAKE_DL_LIBS}
  PRIVATE longhaul_warnings)

# LibTorch first among the needed libraries: nothing that comes before it may bring a BLAS.
if(LONGHAUL_TORCH)
  add_executable(longhaul "${PROJECT_SOURCE_DIR}/apps/longhaul/backend_torch.cpp")
  target_link_libraries(longhaul PRIVATE longhaul_torch)
else()
  add_executable(longhaul "${PROJECT_SOURCE_DIR}/apps/longhaul/backend_none.cpp")
endif()
target_link_libraries(longhaul PRIVATE longhaul_app longhaul_warnings)

if(LONGHAUL_TESTS)
  set(test_app_sources console.cpp metrics_file.cpp metrics_text.cpp progress.cpp progress_text.cpp signals.cpp terminal_text.cpp)
  list(TRANSFORM test_app_sources PREPEND "${PROJECT_SOURCE_DIR}/apps/longhaul/")
  add_executable(test_app ${test_app_sources} "${PROJECT_SOURCE_DIR}/tests/app/console_test.cpp"
                          "${PROJECT_SOURCE_DIR}/tests/app/progress_test.cpp"
                          "${PROJECT_SOURCE_DIR}/tests/app/terminal_text_test.cpp")
  target_include_directories(test_app PRIVATE "${PROJECT_SOURCE_DIR}/apps/longhaul")
  target_link_libraries(test_app PRIVATE longhaul_base longhaul_config longhaul_launch longhaul_test_main
                                         nlohmann_json::nlohmann_json spdlog::spdlog
                                         longhaul_warnings)
  longhaul_compile_together(test_app longhaul_test_headers)
  add_test(NAME app COMMAND test_app)

  add_executable(longhaul-fake "${PROJECT_SOURCE_DIR}/tests/fakes/backend_fake.cpp")
  target_link_libraries(longhaul-fake PRIVATE longhaul_app longhaul_fakes longhaul_warnings)
endif()
