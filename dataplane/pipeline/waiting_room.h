// Packets that wait until the next hop's MAC is known. Bounded in number, per next hop and in time;
// single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/packet/address.h"
#include "dataplane/packet/numbers.h"
#include "dataplane/pipeline/packet.h"

namespace ballast {

class WaitingRoom {
 public:
  static constexpr size_t kCapacity = 256;
  static constexpr size_t kPerNeighbor = 16;
  static constexpr uint64_t kPatienceNs = 3'000'000'000;  // as long as the kernel asks three times

  struct Guest {
    Packet packet;
    NeighborIndex next_hop = kNoNeighbor;
    IpAddress vip;  // that it is to or from: it may leave as long as this node holds that
    uint64_t deadline_ns = 0;
  };

  WaitingRoom() { guests_.reserve(kCapacity); }

  // False when there is no room; the packet stays the caller's then.
  bool admit(const Packet& packet, NeighborIndex next_hop, const IpAddress& vip, uint64_t now_ns) {
    size_t waiting = 0;
    for (const Guest& guest : guests_) {
      waiting += static_cast<size_t>(guest.next_hop == next_hop);
    }
    if (guests_.size() == kCapacity || waiting >= kPerNeighbor) {
      return false;
    }
    guests_.push_back({packet, next_hop, vip, now_ns + kPatienceNs});
    return true;
  }

  [[nodiscard]] bool empty() const { return guests_.empty(); }
  [[nodiscard]] size_t size() const { return guests_.size(); }

  // Those for whom `leaves(guest)` is true are taken out, in order of arrival, and given to
  // `see_off(guest)`.
  template <typename Leaves, typename SeeOff>
  void sweep(Leaves leaves, SeeOff see_off) {
    size_t kept = 0;
    for (Guest& guest : guests_) {
      if (leaves(guest)) {
        see_off(guest);
      } else {
        guests_[kept++] = guest;
      }
    }
    guests_.resize(kept);
  }

 private:
  std::vector<Guest> guests_;
};

}  // namespace ballast
