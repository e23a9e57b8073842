// Where the memory of connection tables and what stands beside them comes from.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace ballast {

// Blocks are zeroed and aligned to 64 bytes. dpdk/ gives one over hugepages.
class TableMemory {
 public:
  virtual ~TableMemory() = default;
  // Never null: throws when there is none, which ends the program at start-up, the only time a
  // table is built.
  virtual void* allocate(size_t bytes) = 0;
  virtual void free(void* memory) = 0;
};

// Anonymous memory of the process. The system zeroes a page when it is first touched; large blocks
// ask for transparent huge pages, since random lookups in a big table otherwise miss the TLB for
// every flow.
TableMemory& process_memory();

// A block of TableMemory, given back with its owner; the memory outlives it.
struct ReleaseBlock {
  TableMemory* memory;
  void operator()(void* block) const { memory->free(block); }
};
template <typename T>
using TableBlock = std::unique_ptr<T[], ReleaseBlock>;

// `count` zeroed T; their size is added to `total_bytes`. Zeroed memory is a valid array of T:
// nothing is constructed, so that no page is touched before it is used.
template <typename T>
TableBlock<T> take_block(TableMemory& memory, size_t count, size_t& total_bytes) {
  static_assert(std::is_trivially_destructible_v<T>);
  const size_t bytes = count * sizeof(T);
  total_bytes += bytes;
  return {static_cast<T*>(memory.allocate(bytes)), ReleaseBlock{&memory}};
}

}  // namespace ballast
