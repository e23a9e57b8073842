// The next hops on the ways to clients: (port, address) -> index of the NeighborTable.
//
// Holds the gateways of all routes, and those clients on a port's own network whose MAC somebody
// asked for. Immutable once built.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/packet/address.h"
#include "dataplane/packet/numbers.h"

namespace ballast {

class ClientHops {
 public:
  struct Hop {
    PortIndex port{};
    IpAddress address;
    NeighborIndex neighbor = kNoNeighbor;
    bool is_gateway = false;
  };

  ClientHops() : ClientHops(std::span<const Hop>{}) {}
  explicit ClientHops(std::span<const Hop> hops);

  // kNoNeighbor when it is not there.
  [[nodiscard]] NeighborIndex find(PortIndex port, const IpAddress& address) const;
  // Those that a route leads through.
  [[nodiscard]] std::span<const Hop> gateways() const { return gateways_; }

 private:
  std::vector<Hop> gateways_;
  std::vector<Hop> hops_;
  std::vector<uint32_t> slots_;  // subscript into hops_ plus one; 0 is empty
};

}  // namespace ballast
