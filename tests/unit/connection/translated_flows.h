// A small world of servers for the tests of translations: which tuple a reply would have.
#pragma once

#include <cstdint>

#include "dataplane/connection/connection_table.h"
#include "tests/unit/connection/flows.h"

namespace ballast {

// Servers number n and n + `endpoints` share an address and port, as the servers of two services
// may.
struct TranslatedWorld {
  uint32_t endpoints = 4;

  [[nodiscard]] ServerEndpoint endpoint_of(ServerIndex server, IpProtocol protocol) const {
    ServerEndpoint endpoint;
    endpoint.address =
        IpAddress::v4({10, 1, 0, static_cast<uint8_t>(1 + index(server) % endpoints)});
    endpoint.port = Big16::from_host(8080);
    endpoint.protocol = protocol;
    return endpoint;
  }
  [[nodiscard]] static IpAddress local_address(LocalAddressIndex local) {
    return IpAddress::v4(
        {10, 2, static_cast<uint8_t>(index(local) >> 8), static_cast<uint8_t>(index(local))});
  }
  // What TranslationTable calls key_of: NAT when there is no local port.
  ReturnKey operator()(const Connection& connection, const TranslationRecord& translation) const {
    const ServerEndpoint server = endpoint_of(connection.server, connection.key.protocol);
    if (translation.local.lane == kNoLane) {
      return ReturnKey::of(server, connection.key.client, connection.key.client_port);
    }
    return ReturnKey::of(server, local_address(translation.local.address), translation.local.port);
  }
};

}  // namespace ballast
