if(NOT LONGHAUL_TORCH)
  return()
endif()
longhaul_room(torch
  SOURCES convert_dtype.cpp cpu_device.cpp cuda_device.cpp cuda_driver.cpp
          devices.cpp encoding_threads.cpp torch_errors.cpp fused_convolutions.cpp fused_graph.cpp
          fused_operators.cpp graph_nodes.cpp heap_allocator.cpp inspect_module.cpp kernel_choice.cpp mps_device.cpp
          packed_convolution.cpp process_settings.cpp product_peak.cpp script_program.cpp tensors.cpp
          torchscript_encoder.cpp
  LINKS base domain device encode kernels
  PRIVATE longhaul::torch nlohmann_json::nlohmann_json ${CMAKE_DL_LIBS})
# A file that includes torch/script.h takes about 13 s without it.
target_precompile_headers(longhaul_torch PRIVATE <torch/script.h>)

if(LONGHAUL_TESTS)
  # The archives the tests load are made by Python's torch from the same LibTorch.
  find_program(LONGHAUL_PYTHON python3 PATHS "${PROJECT_SOURCE_DIR}/.venv/bin" NO_DEFAULT_PATH)
  set(models "${PROJECT_BINARY_DIR}/test_models")
  add_test(NAME torch_models
    COMMAND ${LONGHAUL_PYTHON} -W ignore ${PROJECT_SOURCE_DIR}/tests/torch/make_models.py ${models})
  set_tests_properties(torch_models PROPERTIES FIXTURES_SETUP torch_models)
  longhaul_test(torch
    SOURCES attention_test.cpp blas_test.cpp cuda_first.cpp device_test.cpp encoder_test.cpp
            encoding_threads_test.cpp torch_errors_test.cpp heap_allocator_test.cpp inspect_test.cpp
    LINKS torch PRIVATE longhaul::torch nlohmann_json::nlohmann_json)
  target_compile_definitions(test_torch PRIVATE LONGHAUL_TEST_MODELS="${models}")
  set_tests_properties(torch PROPERTIES FIXTURES_REQUIRED torch_models)
endif()
