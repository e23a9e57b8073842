// The worker's word to the main thread: packets need the MAC of this next hop; or an index for one
// that has none yet, a client on a port's own network.
//
// At most one request per next hop and second leaves a worker (of clients whose hashes collide,
// one in all: with a secret key, so that nobody can choose addresses that keep another one's from
// being asked for); what the main thread does not take in time is dropped, and asked again by the
// next packet.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <boost/lockfree/spsc_queue.hpp>

#include "dataplane/packet/address.h"
#include "dataplane/packet/flow_key.h"
#include "dataplane/packet/numbers.h"

namespace ballast {

struct NeighborRequest {
  NeighborIndex neighbor = kNoNeighbor;  // kNoNeighbor: port and address say which
  PortIndex port{};
  IpAddress address;
};

class NeighborRequests {
 public:
  // `neighbors`: the highest index that there may be.
  NeighborRequests(uint32_t neighbors, const FlowHashKey& hash_key)
      : hash_key_(hash_key), asked_at_ns_(size_t{neighbors} + 1) {}

  // Worker thread.
  void need(NeighborIndex neighbor, uint64_t now_ns) {
    ask(asked_at_ns_[index(neighbor)], {.neighbor = neighbor, .port = {}, .address = {}}, now_ns);
  }
  void need_client(PortIndex port, const IpAddress& address, uint64_t now_ns) {
    const uint64_t hash = address_hash(address, hash_key_);
    ask(client_asked_at_ns_[hash >> (64 - kClientBits)],
        {.neighbor = kNoNeighbor, .port = port, .address = address}, now_ns);
  }

  // Main thread. False when there is none.
  bool take(NeighborRequest& request) { return queue_.pop(request); }

 private:
  static constexpr uint64_t kPauseNs = 1'000'000'000;
  static constexpr unsigned kClientBits = 10;

  void ask(uint64_t& asked_at_ns, const NeighborRequest& request, uint64_t now_ns) {
    if (asked_at_ns != 0 && now_ns - asked_at_ns < kPauseNs) {
      return;
    }
    if (queue_.push(request)) {
      asked_at_ns = now_ns;
    }
  }

  const FlowHashKey hash_key_;
  std::vector<uint64_t> asked_at_ns_;  // by neighbour; 0: never
  std::array<uint64_t, 1U << kClientBits> client_asked_at_ns_{};
  boost::lockfree::spsc_queue<NeighborRequest, boost::lockfree::capacity<1024>> queue_;
};

}  // namespace ballast
