// Memory of the connection tables: explicit hugepages where the machine has free ones, transparent
// ones where not.
#pragma once

#include <cstddef>
#include <map>

#include "dataplane/connection/table_memory.h"

namespace ballast {

class HugepageMemory : public TableMemory {
 public:
  ~HugepageMemory() override = default;
  void* allocate(size_t bytes) override;
  void free(void* memory) override;

 private:
  std::map<void*, size_t> mapped_;
};

}  // namespace ballast
