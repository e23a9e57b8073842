// What a virtual router is known by: version, family, virtual router id, interface; and the numbers
// that must not be mixed up.
#pragma once

#include <compare>
#include <cstdint>

#include "dataplane/packet/address.h"
#include "dataplane/packet/numbers.h"

namespace ballast::vrrp {

enum class Version : uint8_t { kV2 = 2, kV3 = 3 };

enum class VirtualRouterId : uint8_t {};  // 1..255
enum class Priority : uint8_t {};
enum class InterfaceIndex : uint32_t {};  // the kernel's; 0 is none

inline constexpr Priority kReleasing{0};  // "I no longer take part"
inline constexpr Priority kLowestPriority{1};
inline constexpr Priority kDefaultPriority{100};
inline constexpr Priority kHighestPriority{254};
inline constexpr Priority kAddressOwner{255};

// An IPv4 and an IPv6 router with the same id are two routers (RFC 9568 section 5.2.3).
struct RouterKey {
  InterfaceIndex interface {};
  Family family = Family::kIpv4;
  VirtualRouterId id{1};

  friend bool operator==(const RouterKey&, const RouterKey&) = default;
  friend auto operator<=>(const RouterKey&, const RouterKey&) = default;
};

// RFC 9568 section 7.3: 00-00-5E-00-01-{id} for IPv4, 00-00-5E-00-02-{id} for IPv6.
constexpr MacAddress virtual_mac(Family family, VirtualRouterId id) {
  const uint8_t block = family == Family::kIpv4 ? 1 : 2;
  return MacAddress({0x00, 0x00, 0x5e, 0x00, block, static_cast<uint8_t>(id)});
}

// RFC 9568 section 5.1.1.2 and 5.1.2.2: 224.0.0.18 and ff02::12.
constexpr IpAddress multicast_group(Family family) {
  return family == Family::kIpv4
             ? IpAddress::v4({224, 0, 0, 18})
             : IpAddress::v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12});
}

// The Ethernet address that the group maps to: 01:00:5e:00:00:12 and 33:33:00:00:00:12.
constexpr MacAddress multicast_mac(Family family) {
  return family == Family::kIpv4 ? MacAddress({0x01, 0x00, 0x5e, 0x00, 0x00, 0x12})
                                 : MacAddress({0x33, 0x33, 0x00, 0x00, 0x00, 0x12});
}

inline constexpr uint8_t kRequiredTtl = 255;       // RFC 9568 section 5.1.1.3 and 5.1.2.3
inline constexpr uint8_t kTrafficClassCs6 = 0xc0;  // as keepalived sends
inline constexpr size_t kMaximumAddresses = 255;   // the count is one byte

}  // namespace ballast::vrrp
