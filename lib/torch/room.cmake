if(NOT LONGHAUL_TORCH)
  return()
endif()
longhaul_room(torch
  SOURCES cpu_device.cpp cuda_device.cpp cuda_driver.cpp devices.cpp failure.cpp model_checks.cpp
          mps_device.cpp script_program.cpp tensors.cpp torchscript_encoder.cpp
  LINKS base device encode
  PRIVATE longhaul::torch nlohmann_json::nlohmann_json ${CMAKE_DL_LIBS})
# A file that includes torch/script.h takes about 13 s without it.
target_precompile_headers(longhaul_torch PRIVATE <torch/script.h>)
