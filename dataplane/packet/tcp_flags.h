// The flags of a TCP segment (RFC 9293 section 3.1).
#pragma once

#include <cstdint>

namespace ballast {

enum TcpFlag : uint8_t { kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10 };

// Those that are looked at: URG and what lies above it say nothing to a balancer.
inline constexpr uint8_t kNamedTcpFlags = kFin | kSyn | kRst | kPsh | kAck;

// One bit for each of the 64 combinations of URG ACK PSH RST SYN FIN that no stack sends.
inline constexpr uint64_t kRefusedTcpFlags = [] {
  uint64_t refused = 0;
  for (unsigned flags = 0; flags < 64; ++flags) {
    const bool fin = (flags & kFin) != 0;
    const bool syn = (flags & kSyn) != 0;
    const bool rst = (flags & kRst) != 0;
    if (flags == 0 || (syn && (fin || rst)) || (fin && rst)) {
      refused |= uint64_t{1} << flags;
    }
  }
  return refused;
}();

// `flags` as they lie in the header.
constexpr bool are_refused_tcp_flags(uint8_t flags) {
  return (kRefusedTcpFlags >> (flags & 0x3fU) & 1) != 0;
}

}  // namespace ballast
