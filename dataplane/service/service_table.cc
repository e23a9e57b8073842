#include "dataplane/service/service_table.h"

#include <cassert>

#include "dataplane/service/slot_index.h"

namespace ballast {
namespace {

uint64_t hash_of(const Listener& listener) {
  return hash_address(listener.vip, uint64_t{listener.port.to_host()} << 8 |
                                        static_cast<uint8_t>(listener.protocol));
}

}  // namespace

ServiceTable::ServiceTable(std::span<const Entry> entries)
    : entries_(entries.begin(), entries.end()),
      slots_(make_slots(entries_.size(),
                        [this](uint32_t i) { return hash_of(entries_[i].listener); })) {
  for ([[maybe_unused]] const Entry& entry : entries_) {
    assert(find(entry.listener) == &entry);  // no listener is given twice
  }
}

const ServiceTable::Entry* ServiceTable::find(const Listener& listener) const {
  const uint32_t found = find_in_slots(
      slots_, hash_of(listener), [&](uint32_t i) { return entries_[i].listener == listener; });
  return found == 0 ? nullptr : &entries_[found - 1];
}

}  // namespace ballast
