// Where clients' frames have come from lately: the way back to those on a port's own network, for
// packets without a connection that remembers it. One worker's.
//
// Each address has one place, which the latest comer takes: a forgotten client costs a packet,
// until the kernel has resolved it (NeighborRequests).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/packet/address.h"
#include "dataplane/packet/numbers.h"

namespace ballast {

class ClientMacs {
 public:
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
    const IpAddress::Words words = client.words();
    const uint64_t mixed = (words.first ^ words.second) * 0x9e3779b97f4a7c15U;
    return (*places_)[mixed >> (64 - kBits)];
  }

  using Places = std::array<Place, 1U << kBits>;
  std::unique_ptr<Places> places_ = std::make_unique<Places>();
};

}  // namespace ballast
