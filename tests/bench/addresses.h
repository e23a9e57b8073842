// Who is who in the benchmarks' network: clients 10.0.0.0 and up on "wan", sixteen servers
// 192.168.0.1-16 on "lan", and between them the director with one VIP of each family.
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

inline const MacAddress kWanMac({0x02, 0, 0, 0, 0, 0xa0});
inline const MacAddress kLanMac({0x02, 0, 0, 0, 0, 0xa1});
inline const MacAddress kRouterMac({0x02, 0, 0, 0, 0, 0x01});

}  // namespace ballast::bench
