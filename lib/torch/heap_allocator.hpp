// Where tensors on the CPU live.
#pragma once

namespace longhaul {

// From here on the process's CPU tensors get their memory from malloc(), aligned here, and no
// longer from posix_memalign(). glibc before 2.38 cuts what posix_memalign() is not asked for off
// the block's front and caches it, so a freed block has no room for the next one of its own size:
// the heap grows at each batch until it is trimmed. 1,500 nanobodies through AntiBERTy, caches
// cleared every 10 batches, peak at 892 MiB with posix_memalign() and at 415 so, and are no slower.
// Call once, before the first operation. Any thread may allocate and free. Memory is counted as
// LibTorch's own allocator counts it, and is refused with the same words.
void allocate_tensors_from_heap();

}  // namespace longhaul
