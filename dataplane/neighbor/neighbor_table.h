// Next hops and their MACs, by a stable index that servers and routes keep.
//
// One writer (the main thread), any number of readers (the workers). An entry is one 64-bit word: a
// changed MAC is one atomic store, seen by every worker within a burst, without a new snapshot.
// Indexes are given by intern() and stay with their (port, address) until release() and a grace
// period. Bounded: intern() refuses beyond the capacity given at start.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "dataplane/packet/address.h"
#include "dataplane/packet/numbers.h"

namespace ballast {

enum class NeighborState : uint8_t {
  kUnknown,    // nobody asked yet, or the kernel is still asking: packets wait
  kReachable,  // the MAC is known; used until it is replaced or the kernel says FAILED
  kFailed,     // the kernel gave up: packets are dropped
  kOurs,       // its address or its MAC is one of this node: what is sent there would come back
};

// One word: it is stored, read and passed on as a whole.
struct alignas(uint64_t) Neighbor {
  MacAddress mac;
  NeighborState state = NeighborState::kUnknown;
  uint8_t unused = 0;
};
static_assert(sizeof(Neighbor) == sizeof(uint64_t));

class NeighborTable {
 public:
  using Key = std::pair<PortIndex, IpAddress>;

  explicit NeighborTable(uint32_t capacity);

  // Main thread. The index of this next hop, a new one in state kUnknown if it was not known;
  // kNoNeighbor when full.
  NeighborIndex intern(PortIndex port, const IpAddress& address);
  // Main thread. kNoNeighbor when it was never interned.
  [[nodiscard]] NeighborIndex find(PortIndex port, const IpAddress& address) const;
  // Main thread. Atomic for readers.
  void set(NeighborIndex neighbor, const Neighbor& value);
  // Main thread. The index may be given out again; call only after a grace period in which no
  // reader can hold it.
  void release(NeighborIndex neighbor);
  // Main thread. Of an index that intern() gave and release() did not take back.
  [[nodiscard]] Key key_of(NeighborIndex neighbor) const { return keys_[index(neighbor)]; }

  // Any thread.
  [[nodiscard]] Neighbor get(NeighborIndex neighbor) const {
    return std::bit_cast<Neighbor>(words_[index(neighbor)].load(std::memory_order_relaxed));
  }

  [[nodiscard]] uint32_t capacity() const { return capacity_; }
  [[nodiscard]] uint32_t size() const { return static_cast<uint32_t>(by_key_.size()); }

 private:
  uint32_t capacity_;
  std::unique_ptr<std::atomic<uint64_t>[]> words_;
  std::vector<Key> keys_;
  std::vector<uint32_t> free_;
  std::map<Key, NeighborIndex> by_key_;
};

}  // namespace ballast
