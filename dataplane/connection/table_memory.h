// Where a connection table's memory comes from.
#pragma once

#include <cstddef>

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

}  // namespace ballast
