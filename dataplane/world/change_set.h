// What a transaction changes: by key, the new value or nothing for a removal. Keys whose value
// stays as it is are not in it, whether the transaction named them or not; a full transaction has
// become the removals that it implies.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "dataplane/neighbor/route_table.h"
#include "dataplane/world/specification.h"
#include "dataplane/world/validate.h"

namespace ballast {

class DesiredState;

template <typename Key, typename Value>
using Changes = std::map<Key, std::optional<Value>>;

struct ChangeSet {
  uint64_t generation = 0;
  Changes<std::string, SharedService> services;
  Changes<IpAddress, VipSpecification> vips;
  Changes<Prefix, Route> routes;
  Changes<NeighborTable::Key, NeighborSpecification> neighbors;
  Changes<PortIndex, PortSpecification> ports;
  std::optional<std::optional<SettingsSpecification>> settings;
};

// The value that a key has once `changes` are made over `base`; null when none.
template <typename Key, typename Value>
const Value* resulting(const std::map<Key, Value>& base, const Changes<Key, Value>& changes,
                       const Key& key) {
  if (const auto changed = changes.find(key); changed != changes.end()) {
    return changed->second ? &*changed->second : nullptr;
  }
  const auto found = base.find(key);
  return found == base.end() ? nullptr : &found->second;
}

// How many keys there are once `changes` are made over `base`.
template <typename Key, typename Value>
size_t resulting_size(const std::map<Key, Value>& base, const Changes<Key, Value>& changes) {
  size_t size = base.size();
  for (const auto& [key, value] : changes) {
    const bool before = base.contains(key);
    size += value.has_value() && !before ? 1 : 0;
    size -= !value.has_value() && before ? 1 : 0;
  }
  return size;
}

// Validates each resource and key of the transaction by itself.
ChangeSet read_changes(const api::Transaction& transaction, const ValidationContext& context,
                       const DesiredState& base, RefusalList& refusals);

}  // namespace ballast
