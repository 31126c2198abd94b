#include "torch/process/torch_errors.hpp"

#include <catch2/catch.hpp>
#include <new>
#include <stdexcept>

using namespace longhaul;
using namespace longhaul::torch_room;

TEST_CASE("memory that ran out is known by its text, whoever says it") {
  for (const char* text : {
           "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79 GiB",
           "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
           "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
           "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
           "Not enough memory for workspace!",
           "MPS backend out of memory (MPS allocated: 8.30 GB, other allocations: 67108914.49 GiB, "
           "max allowed: 9.07 GB). Tried to allocate 256.00 MB on private pool.",
           "Invalid buffer size: 17.86 GiB",
           "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate "
           "memory: you tried to allocate 70368744177664 bytes. Error code 12 (Cannot allocate "
           "memory)",
           "DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes.",
           "The following operation failed in the TorchScript interpreter.\nTraceback of "
           "TorchScript (most recent call last):\nRuntimeError: CUDA out of memory.",
           "could not create a primitive",
           "RuntimeError: could not create a primitive\n",
       }) {
    INFO(text);
    CHECK(classify_failure(std::string_view(text)) == FailureKind::kOutOfMemory);
    CHECK(classify_failure(std::runtime_error(text)) == FailureKind::kOutOfMemory);
  }
  CHECK(classify_failure(std::bad_alloc()) == FailureKind::kOutOfMemory);
}

TEST_CASE("a poisoned device is never taken for memory that ran out") {
  for (const char* text :
       {"CUDA error: an illegal memory access was encountered",
        "CUDA error: device-side assert triggered", "CUDA error: unspecified launch failure"}) {
    INFO(text);
    CHECK(classify_failure(std::string_view(text)) == FailureKind::kDeviceBroken);
  }
}

TEST_CASE("other failures are neither") {
  for (const char* text :
       {"index out of range in self", "expected scalar type Long but found Float",
        "could not create a primitive descriptor for a matmul primitive",
        "The size of tensor a (600) must match the size of tensor b (512)", ""}) {
    INFO(text);
    CHECK(classify_failure(std::string_view(text)) == FailureKind::kOther);
  }
}

TEST_CASE("the message of a failure is its own line, without TorchScript's trace") {
  CHECK(failure_text(std::runtime_error(
            "The following operation failed in the TorchScript interpreter.\nTraceback of "
            "TorchScript, serialized code (most recent call last):\n  File \"code/x.py\", line 9\n"
            "RuntimeError: index out of range in self\n")) == "index out of range in self");
  CHECK(failure_text(std::runtime_error("plain")) == "plain");
}
