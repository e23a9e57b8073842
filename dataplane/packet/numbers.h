// The domain's numbers as types, so that no two of them can be swapped by accident.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

namespace ballast {

// IP protocol numbers (IANA "Assigned Internet Protocol Numbers") that the dataplane names.
enum class IpProtocol : uint8_t {
  kHopByHop = 0,
  kIcmp = 1,
  kIpIp = 4,
  kTcp = 6,
  kUdp = 17,
  kIpv6 = 41,
  kRouting = 43,
  kFragment = 44,
  kGre = 47,
  kEsp = 50,
  kAuthentication = 51,
  kIcmpv6 = 58,
  kNoNext = 59,
  kDestinationOptions = 60,
  kVrrp = 112,
};
std::string to_string(
    IpProtocol protocol);  // "tcp"; the number where the dataplane has no name for it

enum class PortIndex : uint16_t {};    // a device port of the dataplane, 0..ports-1
enum class WorkerIndex : uint16_t {};  // a forwarding worker, 0..workers-1
enum class ServerIndex : uint32_t {
};  // stable index of a real server of a service; 0 is never used
enum class PoolIndex : uint32_t {
};  // stable index of a pool: the servers of one family of one service
enum class NeighborIndex : uint32_t {};  // stable index of a neighbour table entry; 0 means none
enum class LeaseSlot : uint8_t {};       // a slot of the lease page, 0..63; slot 0 never ends

inline constexpr NeighborIndex kNoNeighbor{0};
inline constexpr ServerIndex kNoServer{0};

// The integer inside one of the types above, for use as a subscript.
template <typename Enum>
constexpr auto index(Enum value) {
  return static_cast<std::underlying_type_t<Enum>>(value);
}

}  // namespace ballast
