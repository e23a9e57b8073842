// VLAN tags (IEEE 802.1Q) of ports: which port a frame is for, the tag taken off, and put on again.
//
// Theory of operation
//   The pipeline knows no tags: a port with a VLAN gets frames whose outer tag was taken off, and
//   sends frames that get it on their way out. A device with the offload does both; for any other,
//   the twelve bytes of the MACs move over the tag, or away to make room for it. A port's bytes are
//   those on the wire, the tag among them, whoever takes it off or puts it on.
//
//   A frame without a tag, or with one of VLAN 0 (which says a priority only), is the untagged
//   port's; the latter keeps its tag. Of a service tag (802.1ad) no port is known.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "dataplane/packet/numbers.h"

struct rte_mbuf;

namespace ballast {

inline constexpr uint16_t kLargestVlan = 4094;  // 4095 is reserved

// The ports of one device by the VLANs of their frames; 0: untagged.
class VlanPorts {
 public:
  VlanPorts() { ports_.fill(kNone); }

  void add(uint16_t vlan, PortIndex port) { ports_[vlan] = static_cast<uint8_t>(index(port)); }

  // The port that the frame is for, after its tag was taken off; nothing, and the frame as it was,
  // when there is none.
  [[nodiscard]] std::optional<PortIndex> take_in(rte_mbuf& frame) const;

 private:
  static constexpr uint8_t kNone = UINT8_MAX;

  std::array<uint8_t, kLargestVlan + 2> ports_;
};

// Of the frame on the wire, without its checksum: a tag counts that the device takes off or puts
// on, as it does where software has it in the frame. Before take_in(), or after put_tag_on().
[[nodiscard]] uint32_t length_on_wire(const rte_mbuf& frame);

enum class VlanInsertion : uint8_t { kBySoftware, kByDevice };

// Puts the tag on a frame that is about to be sent. False when there is no room in front of it.
[[nodiscard]] bool put_tag_on(rte_mbuf& frame, uint16_t vlan, VlanInsertion insertion);

}  // namespace ballast
