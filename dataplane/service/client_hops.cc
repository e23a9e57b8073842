#include "dataplane/service/client_hops.h"

#include "dataplane/service/slot_index.h"

namespace ballast {

ClientHops::ClientHops(std::span<const Hop> hops)
    : hops_(hops.begin(), hops.end()), slots_(make_slots(hops_.size(), [this](uint32_t i) {
        return hash_address(hops_[i].address, index(hops_[i].port));
      })) {}

NeighborIndex ClientHops::find(PortIndex port, const IpAddress& address) const {
  const uint32_t found = find_in_slots(slots_, hash_address(address, index(port)), [&](uint32_t i) {
    return hops_[i].address == address && hops_[i].port == port;
  });
  return found == 0 ? kNoNeighbor : hops_[found - 1].neighbor;
}

}  // namespace ballast
