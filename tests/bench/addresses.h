// Who is who in the benchmarks' network: clients 10.0.0.0 and up behind a router on "wan", sixteen
// servers 192.168.0.1-16 on "lan", and between them the director with one VIP of each family.
#pragma once

#include "dataplane/packet/address.h"
#include "dataplane/packet/byte_order.h"

namespace ballast::bench {

inline constexpr IpAddress::V4Bytes kVipV4{192, 0, 2, 10};
inline constexpr IpAddress::V6Bytes kVipV6{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
                                           0,    0,    0,    0,    0, 0, 0, 0x10};
// The last four bytes are the client's.
inline constexpr IpAddress::V6Bytes kClientsV6{0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, 0, 0,
                                               0,    0,    0,    0,    0,    0,    0, 0};
inline constexpr Big16 kVipTcpPort = Big16::from_host(80);
inline constexpr Big16 kVipUdpPort = Big16::from_host(53);
inline constexpr unsigned kServers = 16;
// Where the servers listen in the modes that translate ports.
inline constexpr Big16 kServerPort = Big16::from_host(8080);

inline const MacAddress kWanMac({0x02, 0, 0, 0, 0, 0xa0});
inline const MacAddress kLanMac({0x02, 0, 0, 0, 0, 0xa1});
inline const MacAddress kRouterMac({0x02, 0, 0, 0, 0, 0x01});

// Servers 1 to kServers: 192.168.0.1 or fd00::1, and up.
constexpr IpAddress::V4Bytes server_v4(uint8_t server) {
  return {192, 168, 0, server};
}
constexpr IpAddress::V6Bytes server_v6(uint8_t server) {
  return {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, server};
}
inline MacAddress server_mac(uint8_t server) {
  return MacAddress({0x02, 0, 0, 0, 0x01, server});
}

// FULLNAT's local addresses 1 to 255: 192.168.1.1 or fd00::1:1, and up.
constexpr IpAddress::V4Bytes local_v4(uint8_t local) {
  return {192, 168, 1, local};
}
constexpr IpAddress::V6Bytes local_v6(uint8_t local) {
  return {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, local};
}

// NAT: what the servers route through. TUN: outer packets come from 192.168.2.0/24, fd00::2:0/120.
inline constexpr IpAddress::V4Bytes kGatewayV4{192, 168, 255, 254};
inline constexpr IpAddress::V6Bytes kGatewayV6{0xfd, 0, 0, 0, 0, 0, 0,    0,
                                               0,    0, 0, 0, 0, 0, 0xff, 0xfe};
inline constexpr IpAddress::V4Bytes kTunnelSourcesV4{192, 168, 2, 0};
inline constexpr IpAddress::V6Bytes kTunnelSourcesV6{0xfd, 0, 0, 0, 0, 0, 0, 0,
                                                     0,    0, 0, 0, 0, 2, 0, 0};

}  // namespace ballast::bench
