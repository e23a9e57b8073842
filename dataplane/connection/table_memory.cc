#include "dataplane/connection/table_memory.h"

#include <cerrno>
#include <cstdint>
#include <new>
#include <string>
#include <system_error>

#include <sys/mman.h>

namespace ballast {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kPage = 4096;

// Lies right in front of every block, so that free() needs the pointer only.
struct alignas(64) BlockHeader {
  void* mapping = nullptr;
  size_t mapped_bytes = 0;
};
static_assert(sizeof(BlockHeader) == 64);

class ProcessMemory final : public TableMemory {
 public:
  void* allocate(size_t bytes) override {
    const size_t alignment = bytes >= kHugePage ? kHugePage : kPage;
    const size_t mapped_bytes = bytes + 2 * alignment;  // the header, and what alignment skips
    void* mapping = MAP_FAILED;
    if (bytes <= SIZE_MAX / 2) {
      mapping = ::mmap(nullptr, mapped_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    } else {
      errno = ENOMEM;
    }
    if (mapping == MAP_FAILED) {
      throw std::system_error(errno, std::generic_category(),
                              "connection table: memory: " + std::to_string(bytes) + " bytes");
    }
    const auto start = reinterpret_cast<uintptr_t>(mapping);
    const uintptr_t block = (start + sizeof(BlockHeader) + alignment - 1) & ~(alignment - 1);
    if (alignment == kHugePage) {
      // Advice only: without huge pages the table is slower, not wrong.
      (void)::madvise(reinterpret_cast<void*>(block), bytes, MADV_HUGEPAGE);
    }
    new (reinterpret_cast<void*>(block - sizeof(BlockHeader))) BlockHeader{mapping, mapped_bytes};
    return reinterpret_cast<void*>(block);
  }

  void free(void* memory) override {
    if (memory == nullptr) {
      return;
    }
    const BlockHeader header = *(static_cast<BlockHeader*>(memory) - 1);
    ::munmap(header.mapping, header.mapped_bytes);
  }
};

}  // namespace

TableMemory& process_memory() {
  static ProcessMemory memory;  // has no state
  return memory;
}

}  // namespace ballast
