// What a rewrite says of a packet. On anything but kDone not one byte has changed, so that the
// caller can still answer the packet, or drop it under a reason of its own.
#pragma once

#include <cstdint>

namespace ballast {

enum class RewriteResult : uint8_t {
  kDone,
  kTtlExpired,     // TTL or hop limit would become 0: answer with "time exceeded"
  kTooBig,         // for the tunnel: answer with "too big" and tunnel_mtu()
  kMustFragment,   // for the tunnel, and its sender may not be told: fragment it, or drop it
  kNoHeadroom,     // the buffer has no room in front for the outer headers
  kNotApplicable,  // not a packet, or not addresses, that this rewrite is for
};

// What happens to TTL or hop limit. A router decrements it (RFC 1812 section 5.3.1, RFC 8200
// section 3), and NAT and FULLNAT are routers.
enum class TtlAction : uint8_t { kKeep, kDecrement };

// Whether a packet that arrived with `ttl` can go on.
constexpr bool survives(uint8_t ttl, TtlAction action) {
  return action == TtlAction::kKeep || ttl > 1;
}

}  // namespace ballast
