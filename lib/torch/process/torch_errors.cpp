#include "torch/process/torch_errors.hpp"

#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <new>

namespace longhaul::torch_room {
namespace {

constexpr std::array<std::string_view, 14> kOutOfMemoryTexts{
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED",
    "Not enough memory for workspace",
    "MPS backend out of memory",
    "Invalid buffer size:",
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "std::bad_alloc",
    "could not create a memory",  // oneDNN
    "could not create a scratchpad",
    "could not execute a primitive",
};
// Said when the code of a primitive found no place. With more words behind it it is another
// failure: "could not create a primitive descriptor" is a model that cannot run.
constexpr std::string_view kNoPrimitive = "could not create a primitive";

// After these every call of the process on that device fails.
constexpr std::array<std::string_view, 9> kDeviceBrokenTexts{
    "an illegal memory access was encountered",
    "device-side assert triggered",
    "unspecified launch failure",
    "an illegal instruction was encountered",
    "misaligned address",
    "the launch timed out and was terminated",
    "uncorrectable ECC error",
    "CUBLAS_STATUS_EXECUTION_FAILED",
    "CUDNN_STATUS_EXECUTION_FAILED",
};
constexpr std::array<int, 9> kDeviceBrokenCodes{214, 700, 702, 710, 714, 715, 716, 718, 719};
constexpr int kCudaOutOfMemoryCode = 2;

template <std::size_t N>
bool holds_any(std::string_view message, const std::array<std::string_view, N>& texts) {
  return std::any_of(texts.begin(), texts.end(), [&](std::string_view text) {
    return message.find(text) != std::string_view::npos;
  });
}

bool ends_line(std::string_view message, std::string_view text) {
  const std::size_t at = message.rfind(text);
  return at != std::string_view::npos &&
         (at + text.size() == message.size() || message[at + text.size()] == '\n');
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  return first == std::string_view::npos ? std::string_view()
                                         : text.substr(first, last - first + 1);
}

}  // namespace

FailureKind classify_failure(std::string_view message) {
  if (holds_any(message, kDeviceBrokenTexts)) {
    return FailureKind::kDeviceBroken;
  }
  return holds_any(message, kOutOfMemoryTexts) || ends_line(message, kNoPrimitive)
             ? FailureKind::kOutOfMemory
             : FailureKind::kOther;
}

FailureKind classify_failure(const std::exception& failure) {
  if (dynamic_cast<const std::bad_alloc*>(&failure) != nullptr ||
      dynamic_cast<const c10::OutOfMemoryError*>(&failure) != nullptr) {
    return FailureKind::kOutOfMemory;
  }
  if (const auto* accelerator = dynamic_cast<const c10::AcceleratorError*>(&failure)) {
    const int code = accelerator->get_error_code();
    if (code == kCudaOutOfMemoryCode) {
      return FailureKind::kOutOfMemory;
    }
    if (std::find(kDeviceBrokenCodes.begin(), kDeviceBrokenCodes.end(), code) !=
        kDeviceBrokenCodes.end()) {
      return FailureKind::kDeviceBroken;
    }
  }
  return classify_failure(std::string_view(failure.what()));
}

std::string failure_text(const std::exception& failure) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&failure);
  std::string_view text =
      torch_error != nullptr ? torch_error->what_without_backtrace() : failure.what();
  // The interpreter's trace ends with the original error.
  constexpr std::string_view kOriginal = "RuntimeError: ";
  const std::size_t original = text.rfind(kOriginal);
  if (original != std::string_view::npos) {
    text.remove_prefix(original + kOriginal.size());
  }
  text = trimmed(text);
  return std::string(trimmed(text.substr(0, text.find('\n'))));
}

Error does_not_fit(const std::string& model, const std::string& text) {
  return {ExitCode::kMemory, model + ": the model does not fit: " + text,
          "use a machine with more memory, or a smaller model"};
}

Error cannot_be_read(const std::string& model, const std::exception& failure) {
  if (classify_failure(failure) == FailureKind::kOutOfMemory) {
    return does_not_fit(model, failure_text(failure));
  }
  return {ExitCode::kBadData,
          model + ": not a TorchScript archive that can be read: " + failure_text(failure),
          "copy or export the model again"};
}

}  // namespace longhaul::torch_room
