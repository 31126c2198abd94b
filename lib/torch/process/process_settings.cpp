#include "torch/process/process_settings.hpp"

#include <stdlib.h>
#if defined(__GLIBC__)
#include <execinfo.h>
#include <malloc.h>

#include "torch/process/heap_allocator.hpp"
#endif

namespace longhaul::torch_room {

void set_up_process([[maybe_unused]] device::FreedMemory freed) {
#if defined(__GLIBC__)
  // An operation's result is megabytes, and by default each is mapped, faulted in page by page and
  // unmapped again. Kept in the heap, 64 nanobodies through AntiBERTy take 74,284 page faults, most
  // of them the model's, instead of 102,676, and 0.29 s in the kernel instead of 0.44 s; the
  // resident peak is 19 MiB higher. What the heap keeps free goes back at every clearing of caches.
  // Between two clearings it counts, in pieces that a larger result does not fit in: with one wide
  // layer, batches of 16 peaked at 556 MiB instead of 379, and a limit of 306 was passed by 14.
  if (freed == device::FreedMemory::kKept) {
    constexpr int kKeptFree = 512 << 20;
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, kKeptFree);
  }
  // By default there are eight per core, and what is free in one serves no other.
  mallopt(M_ARENA_MAX, 2);
  // Where memory can run out, it must be a tensor that it runs out for. Of the limits between what
  // the program needs to start and what a record takes, one in 45 ended it with a signal.
  constexpr std::size_t kReserve = 32 << 20;
  allocate_tensors_from_heap(freed == device::FreedMemory::kReturned ? kReserve : 0);
  // A thread of OpenMP that ends has glibc load libgcc_s, once, and the process aborted where there
  // is no memory for that: loaded here.
  void* frame = nullptr;
  backtrace(&frame, 1);
#endif
  // oneDNN keeps an entry for each operator and shape, up to 1,024. 141,021 sequences through a
  // tiny encoder, with few shapes each: resident memory of the last tenth of the run less the
  // second's is 16 MiB with 256 entries, 6 with 128 and 1 with 32, at one speed. An image encoder
  // has up to a hundred convolutions unlike each other, which must all find room.
  setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128", /*overwrite=*/0);
  setenv("LRU_CACHE_CAPACITY", "128", /*overwrite=*/0);
}

}  // namespace longhaul::torch_room
