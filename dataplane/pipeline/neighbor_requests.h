// The worker's word to the main thread: packets need the MAC of this next hop.
//
// At most one request per next hop and second leaves a worker; what the main thread does not take
// in time is dropped, and asked again by the next packet.
#pragma once

#include <array>
#include <cstdint>

#include <boost/lockfree/spsc_queue.hpp>

#include "dataplane/packet/numbers.h"

namespace ballast {

class NeighborRequests {
 public:
  // Worker thread.
  void need(NeighborIndex neighbor, uint64_t now_ns) {
    Asked& asked = recently_[index(neighbor) % recently_.size()];
    if (asked.neighbor == neighbor && now_ns - asked.at_ns < kPauseNs) {
      return;
    }
    if (queue_.push(neighbor)) {
      asked = {neighbor, now_ns};
    }
  }

  // Main thread. False when there is none.
  bool take(NeighborIndex& neighbor) { return queue_.pop(neighbor); }

 private:
  struct Asked {
    NeighborIndex neighbor = kNoNeighbor;
    uint64_t at_ns = 0;
  };
  static constexpr uint64_t kPauseNs = 1'000'000'000;

  std::array<Asked, 256> recently_{};
  boost::lockfree::spsc_queue<NeighborIndex, boost::lockfree::capacity<1024>> queue_;
};

}  // namespace ballast
