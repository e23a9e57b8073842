// The worker's word to the main thread: packets need the MAC of this next hop.
//
// At most one request per next hop and second leaves a worker; what the main thread does not take
// in time is dropped, and asked again by the next packet.
#pragma once

#include <cstdint>
#include <vector>

#include <boost/lockfree/spsc_queue.hpp>

#include "dataplane/packet/numbers.h"

namespace ballast {

class NeighborRequests {
 public:
  // `neighbors`: the highest index that there may be.
  explicit NeighborRequests(uint32_t neighbors = 65'536) : asked_at_ns_(size_t{neighbors} + 1) {}

  // Worker thread.
  void need(NeighborIndex neighbor, uint64_t now_ns) {
    uint64_t& asked_at_ns = asked_at_ns_[index(neighbor)];
    if (asked_at_ns != 0 && now_ns - asked_at_ns < kPauseNs) {
      return;
    }
    if (queue_.push(neighbor)) {
      asked_at_ns = now_ns;
    }
  }

  // Main thread. False when there is none.
  bool take(NeighborIndex& neighbor) { return queue_.pop(neighbor); }

 private:
  static constexpr uint64_t kPauseNs = 1'000'000'000;

  std::vector<uint64_t> asked_at_ns_;  // by neighbour; 0: never
  boost::lockfree::spsc_queue<NeighborIndex, boost::lockfree::capacity<1024>> queue_;
};

}  // namespace ballast
