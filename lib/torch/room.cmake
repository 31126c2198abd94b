if(NOT LONGHAUL_TORCH)
  return()
endif()
longhaul_room(torch
  SOURCES encoder/compute_part.cpp encoder/convert_dtype.cpp encoder/device_copies.cpp encoder/encoding_threads.cpp
          encoder/inspect_module.cpp encoder/read_model.cpp encoder/script_program.cpp encoder/tensors.cpp encoder/torchscript_encoder.cpp
          graph/fuse_attention.cpp graph/fuse_convolutions.cpp graph/fuse_graph.cpp graph/fuse_linears.cpp
          graph/fuse_norms.cpp graph/fuse_rotations.cpp graph/fused_operators.cpp graph/graph_nodes.cpp graph/isa_choice.cpp
          graph/kernel_choice.cpp graph/linear_nodes.cpp graph/merge_linears.cpp
          graph/operation_times.cpp graph/own_operators.cpp graph/packed_convolution.cpp graph/product_peak.cpp
          device/cpu_device.cpp device/cuda_device.cpp device/cuda_driver.cpp device/devices.cpp
          device/mps_device.cpp
          process/heap_allocator.cpp process/process_settings.cpp process/torch_errors.cpp
          search/torch_products.cpp
  LINKS base domain device encode kernels score
  PRIVATE longhaul::torch nlohmann_json::nlohmann_json ${CMAKE_DL_LIBS})
# Checks name their files, also in LibTorch's headers: not where these lie on this machine.
target_compile_options(longhaul_torch PRIVATE "-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/="
                                              "-fmacro-prefix-map=${LONGHAUL_TORCH_REAL_DIR}/=torch/")
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
    SOURCES attention_test.cpp blas_test.cpp cuda_first.cpp device_test.cpp encoder_kernels_test.cpp encoder_test.cpp
            encoding_threads_test.cpp torch_errors_test.cpp heap_allocator_test.cpp inspect_test.cpp residues_test.cpp
            compute_part_test.cpp parts_in_flight_test.cpp stream_lanes_test.cpp
    LINKS torch PRIVATE longhaul::torch nlohmann_json::nlohmann_json)
  target_compile_definitions(test_torch PRIVATE LONGHAUL_TEST_MODELS="${models}")
  set_tests_properties(torch PROPERTIES FIXTURES_REQUIRED torch_models)
endif()
