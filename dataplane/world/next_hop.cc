#include "dataplane/world/next_hop.h"

namespace ballast {
namespace {

// FNV-1a, then the finalizer of MurmurHash3, so that neighbouring addresses spread in all bits.
uint64_t spread_of(const IpAddress& address) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const uint8_t byte : address.bytes()) {
    hash = (hash ^ byte) * 0x100000001b3;
  }
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
  return hash ^ (hash >> 33);
}

}  // namespace

std::optional<NeighborTable::Key> resolve_next_hop(const RouteTable& routes,
                                                   const IpAddress& address) {
  const RouteHop* hop = routes.next_hop(address, spread_of(address));
  if (hop == nullptr) {
    return std::nullopt;
  }
  return NeighborTable::Key(hop->port, hop->gateway.value_or(address));
}

}  // namespace ballast
