#include "dataplane/dpdk/hugepage_memory.h"

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <sys/mman.h>

namespace ballast {
namespace {

constexpr size_t kHugepage = size_t{2} << 20;

}  // namespace

void* HugepageMemory::allocate(size_t bytes) {
  const size_t rounded = (bytes + kHugepage - 1) / kHugepage * kHugepage;
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS;
  void* memory = MAP_FAILED;
  if (explicit_pages_) {
    memory = mmap(nullptr, rounded, PROT_READ | PROT_WRITE, kFlags | MAP_HUGETLB, -1, 0);
  }
  if (memory == MAP_FAILED) {
    memory = mmap(nullptr, rounded, PROT_READ | PROT_WRITE, kFlags | MAP_NORESERVE, -1, 0);
  }
  if (memory == MAP_FAILED) {
    fmt::print(stderr,
               "ballast-dataplane: no memory for connection tables ({} MiB): lower [connections] "
               "trusted\n",
               rounded >> 20U);
    std::exit(EXIT_FAILURE);
  }
  madvise(memory, rounded, MADV_HUGEPAGE);
  mapped_[memory] = rounded;
  return memory;
}

void HugepageMemory::free(void* memory) {
  const auto found = mapped_.find(memory);
  if (found != mapped_.end()) {
    munmap(found->first, found->second);
    mapped_.erase(found);
  }
}

}  // namespace ballast
