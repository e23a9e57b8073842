// The way of VRRP adverts from the kernel twins to the network; belongs to one worker.
//
// An advert of a virtual router whose MAC the snapshot knows gets it as its source. One that the
// worker may have left waiting for longer than its own interval is refused: the peers may have
// elected another router since, and would believe it. TwinAge says how long that may be.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/neighbor/outgoing_advert.h"
#include "dataplane/service/forwarding_snapshot.h"

namespace ballast {

// Since when the oldest frame may be waiting on a twin. The kernel does not say; but a twin that
// was found empty holds nothing older than that, and who has read as many frames as the twin has
// room for has read all that waited when he began.
class TwinAge {
 public:
  static constexpr uint32_t kRoom = 1024;  // the kernel's default is 500

  // Frames may wait since `oldest_ns`; 0: nobody knows, and none that has an age passes until the
  // twin was found empty.
  explicit TwinAge(uint64_t oldest_ns) : oldest_ns_(oldest_ns) {}

  // One frame was read, in a poll that began at `now_ns`.
  void took(uint64_t now_ns) {
    if (left_ == 0) {
      mark_ns_ = now_ns;
      left_ = kRoom;
    } else if (--left_ == 0) {
      oldest_ns_ = mark_ns_;
    }
  }
  void found_empty(uint64_t now_ns) {
    oldest_ns_ = now_ns;
    left_ = 0;
  }
  // No frame was written before.
  [[nodiscard]] uint64_t oldest_ns() const { return oldest_ns_; }

 private:
  uint64_t oldest_ns_;
  uint64_t mark_ns_ = 0;
  uint32_t left_ = 0;  // frames until all that waited at mark_ns_ are read; 0: no mark is set
};

class AdvertGate {
 public:
  // Whether a frame from a twin may leave, changed where need be. `now_ns` is asked for adverts
  // only.
  template <typename Now>
  [[nodiscard]] bool admit(PacketView frame, const ForwardingSnapshot& snapshot,
                           const TwinAge& twin, Now now_ns) {
    const auto advert = find_outgoing_advert(frame);
    if (!advert) {
      return true;
    }
    if (now_ns() > twin.oldest_ns() + advert->interval_ns) {
      return false;
    }
    set_source(frame, *advert, snapshot);
    return true;
  }

 private:
  void set_source(PacketView frame, const OutgoingAdvert& advert,
                  const ForwardingSnapshot& snapshot);

  std::shared_ptr<const AddressTable> addresses_;  // that virtual_macs_ are of; null at first
  VirtualMacSet virtual_macs_;
};

}  // namespace ballast
