// LibTorch has no C++ header for the mkldnn:: operators: they are found by name.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

namespace longhaul::torch_room {

template <typename Signature>
c10::TypedOperatorHandle<Signature> find_operator(const char* name, const char* overload) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

}  // namespace longhaul::torch_room
