// Flows by number, for the tests of this folder.
#pragma once

#include <cstdint>

#include "dataplane/connection/connection_table.h"

namespace ballast {

// A different flow for each number; odd ones are IPv6.
inline FlowKey flow(uint32_t number) {
  const auto byte = [number](int shift) { return static_cast<uint8_t>(number >> shift); };
  FlowKey key;
  if (number % 2 == 0) {
    key.client = IpAddress::v4({10, byte(24), byte(16), byte(8)});
    key.vip = IpAddress::v4({192, 0, 2, 1});
  } else {
    key.client = IpAddress::v6(
        {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(24), byte(16), byte(8)});
    key.vip = IpAddress::v6({0x20, 0x01, 0x0d, 0xb8, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  }
  key.client_port = Big16::from_host(static_cast<uint16_t>(1024 + number % 256));
  key.vip_port = Big16::from_host(443);
  key.protocol = IpProtocol::kTcp;
  return key;
}

inline constexpr FlowHashKey kTestHashKey{{0x9ae16a3b2f90404f, 0xc949d7c7509e6557,
                                           0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53,
                                           0x87c37b91114253d5, 0x4cf5ad432745937f}};

}  // namespace ballast
