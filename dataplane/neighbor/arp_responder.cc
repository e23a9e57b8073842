#include "dataplane/neighbor/arp_responder.h"

#include <cassert>

#include "dataplane/packet/wire.h"

namespace ballast {
namespace {

constexpr MacAddress kBroadcastMac({0xff, 0xff, 0xff, 0xff, 0xff, 0xff});

// Who can be sent a reply. A probe's sender has no address yet.
bool is_host(const MacAddress& mac, const IpAddress& address) {
  return !mac.is_multicast() && !mac.is_zero() && !address.is_multicast() &&
         !address.is_broadcast() && !address.is_loopback();
}

}  // namespace

ArpTarget read_arp(PacketView frame, const ParsedPacket& packet) {
  const auto* arp = frame.header_at<ArpPacket>(packet.network_offset);
  assert(packet.kind == PacketKind::kArp && arp != nullptr);
  return {.sender = IpAddress::v4(arp->sender_address),
          .target = IpAddress::v4(arp->target_address),
          .sender_mac = arp->sender_mac,
          .request = arp->operation == kArpRequest};
}

DropReason answer_arp(FrameBuffer& frame, const ParsedPacket& packet, const MacAddress& vip_mac) {
  auto* arp = frame.view().header_at<ArpPacket>(packet.network_offset);
  auto* ethernet = frame.view().header_at<EthernetHeader>(0);
  if (packet.kind != PacketKind::kArp || arp == nullptr || ethernet == nullptr) {
    return DropReason::kArpMalformed;
  }
  const ArpPacket request = *arp;
  if (request.operation != kArpRequest || request.sender_address == request.target_address ||
      request.sender_mac == vip_mac) {
    return DropReason::kArpIgnored;
  }
  if (!is_host(request.sender_mac, IpAddress::v4(request.sender_address))) {
    return DropReason::kArpMalformed;
  }
  ethernet->destination = request.sender_mac;
  ethernet->source = vip_mac;
  arp->operation = kArpReply;
  arp->sender_mac = vip_mac;
  arp->sender_address = request.target_address;
  arp->target_mac = request.sender_mac;
  arp->target_address = request.sender_address;
  frame.length = static_cast<uint16_t>(packet.network_offset + sizeof(ArpPacket));  // no padding
  return DropReason::kNone;
}

bool build_gratuitous_arp(FrameBuffer& frame, const MacAddress& mac, const IpAddress& address,
                          GratuitousArp form) {
  assert(address.is_v4());
  auto* ethernet = frame.room().header_at<EthernetHeader>(0);
  auto* arp = frame.room().header_at<ArpPacket>(sizeof(EthernetHeader));
  if (ethernet == nullptr || arp == nullptr) {
    return false;
  }
  const bool request = form == GratuitousArp::kRequest;
  *ethernet = {.destination = kBroadcastMac, .source = mac, .ether_type = kEtherTypeArp};
  // A request does not know its target's MAC; a reply has its own there (RFC 5944 section 4.6).
  *arp = {.hardware_type = kArpHardwareEthernet,
          .protocol_type = kEtherTypeIpv4,
          .hardware_length = sizeof(MacAddress),
          .protocol_length = sizeof(IpAddress::V4Bytes),
          .operation = request ? kArpRequest : kArpReply,
          .sender_mac = mac,
          .sender_address = address.v4_bytes(),
          .target_mac = request ? MacAddress() : mac,
          .target_address = address.v4_bytes()};
  frame.length = sizeof(EthernetHeader) + sizeof(ArpPacket);
  return true;
}

}  // namespace ballast
