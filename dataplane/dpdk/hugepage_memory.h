// Memory of the connection tables: explicit hugepages where the machine has free ones, transparent
// ones where not.
#pragma once

#include <cstddef>
#include <map>

#include "dataplane/connection/table_memory.h"

namespace ballast {

class HugepageMemory : public TableMemory {
 public:
  // `explicit_pages` false: never takes hugepages that the machine has set aside.
  explicit HugepageMemory(bool explicit_pages) : explicit_pages_(explicit_pages) {}
  ~HugepageMemory() override = default;
  void* allocate(size_t bytes) override;
  void free(void* memory) override;

 private:
  bool explicit_pages_;
  std::map<void*, size_t> mapped_;
};

}  // namespace ballast
