// Where tensors on the CPU live.
#pragma once

#include <cstddef>

namespace longhaul::torch_room {

// From here on the process's CPU tensors get their memory from malloc(), aligned here, and no
// longer from posix_memalign(). glibc before 2.38 cuts what posix_memalign() is not asked for off
// the block's front and caches it, so a freed block has no room for the next one of its own size:
// the heap grows at each batch until it is trimmed. 1,500 nanobodies through AntiBERTy, caches
// cleared every 10 batches, peak at 892 MiB with posix_memalign() and at 415 so, and are no slower.
// Call once, before the first operation. Any thread may allocate and free. Memory is counted as
// LibTorch's own allocator counts it, and is refused with the same words.
//
// `reserve`, in bytes, is what the system must be able to give besides, or a tensor is refused: for
// the small objects of LibTorch and oneDNN, which follow a null pointer where there is no memory
// for them. 0 asks nothing, and saves two calls of the system for each tensor.
void allocate_tensors_from_heap(std::size_t reserve);

}  // namespace longhaul::torch_room
