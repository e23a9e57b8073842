#include "dataplane/packet/parser.h"

#include "dataplane/packet/parse_steps.h"
#include "dataplane/packet/wire.h"

namespace ballast {
namespace parse_steps {
namespace {

constexpr uint8_t kMaximumVlanTags = 2;

inline bool is_vlan(Big16 ether_type) {
  return ether_type == kEtherTypeVlan || ether_type == kEtherTypeServiceVlan;
}

DropReason parse_network(const PacketView& frame, size_t offset, Big16 ether_type,
                         ParsedPacket& out) {
  if (ether_type == kEtherTypeIpv4) {
    return parse_ipv4(frame, offset, out);
  }
  if (ether_type == kEtherTypeIpv6) {
    return parse_ipv6(frame, offset, out);
  }
  if (ether_type == kEtherTypeArp) {
    return parse_arp(frame, offset, out);
  }
  out.kind = PacketKind::kNotIp;
  out.network_offset = static_cast<uint16_t>(offset);
  return DropReason::kNone;
}

// None, or up to two; a third tag is left in place: its EtherType is then none that is known.
DropReason parse_vlan_tags(const PacketView& frame, Big16 ether_type, ParsedPacket& out) {
  size_t offset = sizeof(EthernetHeader);
  for (; is_vlan(ether_type) && out.vlan_tags < kMaximumVlanTags; ++out.vlan_tags) {
    const auto* tag = frame.header_at<VlanTag>(offset);
    if (tag == nullptr) {
      return DropReason::kVlanShort;
    }
    if (out.vlan_tags == 0) {
      out.vlan_id = tag->vlan_id();
    }
    ether_type = tag->ether_type;
    offset += sizeof(VlanTag);
  }
  return parse_network(frame, offset, ether_type, out);
}

}  // namespace

// Ethernet padding makes a frame longer than the 28 bytes; an operation that is neither request nor
// reply is left to whoever answers.
DropReason parse_arp(const PacketView& frame, size_t offset, ParsedPacket& out) {
  const auto* arp = frame.header_at<ArpPacket>(offset);
  if (arp == nullptr || arp->hardware_type != kArpHardwareEthernet ||
      arp->protocol_type != kEtherTypeIpv4 || arp->hardware_length != sizeof(MacAddress) ||
      arp->protocol_length != sizeof(IpAddress::V4Bytes)) {
    return DropReason::kArpMalformed;
  }
  out.kind = PacketKind::kArp;
  out.network_offset = static_cast<uint16_t>(offset);
  out.network_length = sizeof(ArpPacket);
  out.source = IpAddress::v4(arp->sender_address);
  out.destination = IpAddress::v4(arp->target_address);
  return DropReason::kNone;
}

}  // namespace parse_steps

DropReason parse(PacketView frame, ParsedPacket& out) {
  static_cast<ParsedHeaders&>(out) = ParsedHeaders{};
  const auto* ethernet = frame.header_at<EthernetHeader>(0);
  if (ethernet == nullptr) {
    return DropReason::kEthernetShort;
  }
  out.multicast_frame = ethernet->destination.is_multicast();
  const Big16 ether_type = ethernet->ether_type;
  if (ether_type == kEtherTypeIpv4) [[likely]] {
    return parse_steps::parse_ipv4(frame, sizeof(EthernetHeader), out);
  }
  if (ether_type == kEtherTypeIpv6) [[likely]] {
    return parse_steps::parse_ipv6(frame, sizeof(EthernetHeader), out);
  }
  return parse_steps::parse_vlan_tags(frame, ether_type, out);
}

}  // namespace ballast
