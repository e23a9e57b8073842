// Where clients' frames have come from lately: the way back to those on a port's own network, for
// packets without a connection that remembers it. One worker's.
//
// Each address has one place, which the latest comer takes: a forgotten client costs a packet,
// until the kernel has resolved it (NeighborRequests). Which addresses share a place is a secret of
// the process: nobody can choose some that push a certain client out.
//
// What a client's frames may say, here as in its connection's record: a MAC that one host of its
// network can have. Never one of this node's own or virtual MACs, nor that of a gateway that a
// route leads through (but for the gateway itself, as a client): a packet with a forged source that
// a router passes on arrives with the router's MAC, and must not turn a client's replies away from
// it. A client on-link by the routes that is really behind such a gateway (proxy ARP) is found as a
// host finds it, by ARP or ND, at the price of the first reply.
//
// What is not defended: whoever sends frames on the client's own network can take its place there,
// by one frame with the client's address, as he can by one ARP or ND message. Port security and
// ARP/ND inspection of the switch are the means against both. A router of that network that no
// route leads through is such a host.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/packet/address.h"
#include "dataplane/packet/flow_key.h"
#include "dataplane/packet/numbers.h"

namespace ballast {

class ClientMacs {
 public:
  explicit ClientMacs(const FlowHashKey& hash_key) : hash_key_(hash_key) {}

  void note(const IpAddress& client, const MacAddress& mac, PortIndex port) {
    place_of(client) = {.client = client, .mac = mac, .port = port};
  }
  // Null when nothing came from it by this port.
  [[nodiscard]] const MacAddress* find(const IpAddress& client, PortIndex port) const {
    const Place& place = place_of(client);
    return place.client == client && place.port == port && !place.mac.is_zero() ? &place.mac
                                                                                : nullptr;
  }

 private:
  static constexpr unsigned kBits = 12;
  struct Place {
    IpAddress client;
    MacAddress mac;
    PortIndex port{};
  };

  [[nodiscard]] Place& place_of(const IpAddress& client) const {
    return (*places_)[address_hash(client, hash_key_) >> (64 - kBits)];
  }

  using Places = std::array<Place, 1U << kBits>;
  const FlowHashKey hash_key_;
  std::unique_ptr<Places> places_ = std::make_unique<Places>();
};

}  // namespace ballast
