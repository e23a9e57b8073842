// (protocol, VIP, port) -> service.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/service/virtual_service.h"

namespace ballast {

// Open addressing over a power of two slots; immutable once built. It maps to the service's
// position in the snapshot, not to a pointer, so that it is shared by snapshots whose services
// changed but whose listeners did not.
class ServiceTable {
 public:
  struct Entry {
    Listener listener;
    uint32_t service = 0;  // subscript of ForwardingSnapshot::services
  };

  ServiceTable() : ServiceTable(std::span<const Entry>{}) {}
  explicit ServiceTable(std::span<const Entry> entries);

  // Null when nothing listens there.
  [[nodiscard]] const Entry* find(const Listener& listener) const;
  [[nodiscard]] std::span<const Entry> all() const { return entries_; }

 private:
  std::vector<Entry> entries_;
  std::vector<uint32_t> slots_;  // subscript into entries_ plus one; 0 is empty
};

}  // namespace ballast
