// What goes to the kernel twin, and how much of each kind, so that a flood of one starves none of
// the others.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/packet/parser.h"
#include "dataplane/pipeline/token_bucket.h"

namespace ballast {

enum class PuntClass : uint8_t { kVrrp, kNeighbor, kRouting, kOther };
inline constexpr size_t kPuntClasses = 4;

// Packets per second, for each worker.
struct PuntLimits {
  uint32_t vrrp = 20'000;
  uint32_t neighbor = 5'000;  // ARP and neighbour discovery
  uint32_t routing = 20'000;  // BFD and BGP
  uint32_t other = 50'000;    // ssh, health checks, multicast, ...
};

PuntClass punt_class_of(const ParsedPacket& packet);

class PuntLimiter {
 public:
  explicit PuntLimiter(const PuntLimits& limits);
  bool allows(PuntClass punt_class, uint64_t now_ns) {
    return buckets_[static_cast<size_t>(punt_class)].take(now_ns);
  }

 private:
  std::array<TokenBucket, kPuntClasses> buckets_;
};

}  // namespace ballast
