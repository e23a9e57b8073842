#include "dataplane/service/client_hops.h"

#include <algorithm>
#include <iterator>

#include "dataplane/service/slot_index.h"

namespace ballast {

ClientHops::ClientHops(std::span<const Hop> hops)
    : hops_(hops.begin(), hops.end()), slots_(make_slots(hops_.size(), [this](uint32_t i) {
        return hash_address(hops_[i].address, index(hops_[i].port));
      })) {
  std::copy_if(hops_.begin(), hops_.end(), std::back_inserter(gateways_),
               [](const Hop& hop) { return hop.is_gateway; });
}

NeighborIndex ClientHops::find(PortIndex port, const IpAddress& address) const {
  const uint32_t found = find_in_slots(slots_, hash_address(address, index(port)), [&](uint32_t i) {
    return hops_[i].address == address && hops_[i].port == port;
  });
  return found == 0 ? kNoNeighbor : hops_[found - 1].neighbor;
}

}  // namespace ballast
