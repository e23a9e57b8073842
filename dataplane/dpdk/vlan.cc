#include "dataplane/dpdk/vlan.h"

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "dataplane/packet/packet_view.h"
#include "dataplane/packet/wire.h"

namespace ballast {
namespace {

constexpr uint64_t kStripped = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;

constexpr uint16_t id_of(uint16_t control) {
  return control & 0x0fff;
}

// Of the frame's own bytes: 0 without a tag; nothing for a tag that is cut off, or a service tag.
std::optional<uint16_t> vlan_in_frame(const rte_mbuf& frame) {
  const PacketView view(rte_pktmbuf_mtod(&frame, uint8_t*), rte_pktmbuf_data_len(&frame));
  const auto* ethernet = view.header_at<EthernetHeader>(0);
  if (ethernet == nullptr || ethernet->ether_type == kEtherTypeServiceVlan) {
    return std::nullopt;
  }
  if (ethernet->ether_type != kEtherTypeVlan) {
    return 0;
  }
  const auto* tag = view.header_at<VlanTag>(sizeof(EthernetHeader));
  return tag == nullptr ? std::nullopt : std::optional(tag->vlan_id());
}

}  // namespace

std::optional<PortIndex> VlanPorts::take_in(rte_mbuf& frame) const {
  const bool stripped = (frame.ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0;
  const std::optional<uint16_t> vlan = stripped ? id_of(frame.vlan_tci) : vlan_in_frame(frame);
  if (!vlan || ports_[*vlan] == kNone) {
    return std::nullopt;
  }
  if (!stripped && *vlan != 0) {
    rte_vlan_strip(&frame);
  }
  frame.ol_flags &= ~kStripped;
  return static_cast<PortIndex>(ports_[*vlan]);
}

uint32_t length_on_wire(const rte_mbuf& frame) {
  const bool apart = (frame.ol_flags & (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_TX_VLAN)) != 0;
  return rte_pktmbuf_pkt_len(&frame) + (apart ? uint32_t{sizeof(VlanTag)} : 0);
}

bool put_tag_on(rte_mbuf& frame, uint16_t vlan, VlanInsertion insertion) {
  frame.vlan_tci = vlan;
  if (insertion == VlanInsertion::kByDevice) {
    frame.ol_flags |= RTE_MBUF_F_TX_VLAN;
    return true;
  }
  rte_mbuf* same = &frame;
  return rte_vlan_insert(&same) == 0;
}

}  // namespace ballast
