#include "tests/unit/parsed_packet_check.h"

#include <algorithm>

#include "dataplane/packet/plain_packet.h"

namespace ballast::testing {
namespace {

size_t end_of(const ParsedPacket& packet) {
  return size_t{packet.network_offset} + packet.network_length;
}

std::string check_fragment(const Frame& frame, const ParsedPacket& packet) {
  const FragmentNotes notes = frame.fragment();
  const FragmentNotes found{packet.fragment_id, packet.fragment_begin(), packet.fragment_end(),
                            packet.more_fragments()};
  if (packet.fragment != !(notes == FragmentNotes{}) || !(found == notes)) {
    return "another walk over the headers finds another part of a datagram";
  }
  if (!packet.fragment) {
    return packet.fragment_place == 0 && packet.fragment_length == 0 ? ""
                                                                     : "a whole packet is a part";
  }
  if (found.begin >= found.end || found.begin % 8 != 0 || (found.more && found.end % 8 != 0) ||
      (found.begin == 0 && !found.more) ||
      (found.begin == 0) == (packet.kind == PacketKind::kLaterFragment)) {
    return "a fragment that can be none";
  }
  return {};
}

std::string check_ip(PacketView frame, const ParsedPacket& packet) {
  if (packet.source.family() != packet.family || packet.destination.family() != packet.family) {
    return "an address is of another family";
  }
  if (end_of(packet) > frame.frame_size()) {
    return "the packet ends beyond the frame";
  }
  if (packet.transport_offset < packet.network_offset || packet.transport_offset > end_of(packet)) {
    return "the transport offset is outside the packet";
  }
  if (packet.source.is_multicast() || packet.source.is_loopback() || packet.source.is_broadcast() ||
      packet.destination.is_loopback() || packet.destination.is_unspecified() ||
      packet.source == packet.destination) {
    return "an address that is never seen on a wire";
  }
  if (packet.source.is_unspecified() && !packet.destination.is_multicast() &&
      !packet.destination.is_broadcast()) {
    return "an unspecified source speaks to one host";
  }
  if (packet.ttl == 0) {
    return "a TTL of 0";
  }
  // The test's own walk over the headers, written apart from the parser.
  const Frame copy{Bytes(frame.data(), frame.data() + frame.size())};
  if (copy.network_offset() != packet.network_offset ||
      copy.transport_offset() != packet.transport_offset || copy.protocol() != packet.protocol) {
    return "another walk over the headers arrives elsewhere";
  }
  return check_fragment(copy, packet);
}

std::string check_transport(PacketView frame, const ParsedPacket& packet) {
  const bool tcp = packet.protocol == IpProtocol::kTcp;
  if (!tcp && packet.protocol != IpProtocol::kUdp) {
    return "transport is neither TCP nor UDP";
  }
  const auto* header = frame.header_at<TcpHeader>(packet.transport_offset);
  const size_t header_length = tcp && header != nullptr ? header->header_length() : 8;
  if ((tcp && header == nullptr) || header_length < 8 ||
      packet.transport_offset + header_length + packet.payload_length > end_of(packet)) {
    return "the payload ends beyond the packet";
  }
  if (packet.source_port == Big16{} || packet.destination_port == Big16{}) {
    return "a port of 0";
  }
  if (tcp && (packet.tcp_flags & kSyn) != 0 && (packet.tcp_flags & (kFin | kRst)) != 0) {
    return "TCP flags that no stack sends";
  }
  return {};
}

std::string check_inner(PacketView frame, const ParsedPacket& packet) {
  const InnerPacket& inner = packet.inner;
  if (packet.fragment) {
    return "an ICMP error in a fragment";
  }
  if (inner.source != packet.destination || inner.destination.family() != packet.family) {
    return "the quoted packet is not from the destination of the error";
  }
  if (inner.network_offset != packet.transport_offset + sizeof(IcmpHeader) ||
      inner.transport_offset < inner.network_offset + 20U ||
      inner.transport_offset + 8U > end_of(packet) || inner.transport_offset + 8U > frame.size()) {
    return "the quoted packet is outside the error";
  }
  if (inner.has_ports && inner.protocol != IpProtocol::kTcp && inner.protocol != IpProtocol::kUdp) {
    return "ports of a quoted packet that has none";
  }
  return {};
}

}  // namespace

std::string violated_property(PacketView frame, const ParsedPacket& packet) {
  if (packet.vlan_tags > 2 || packet.vlan_id > 4095 ||
      packet.network_offset != sizeof(EthernetHeader) + packet.vlan_tags * sizeof(VlanTag)) {
    return "VLAN tags and network offset disagree";
  }
  switch (packet.kind) {
    case PacketKind::kNotIp:
      return {};
    case PacketKind::kArp:
      return frame.header_at<ArpPacket>(packet.network_offset) == nullptr ? "ARP beyond the frame"
                                                                          : "";
    default:
      break;
  }
  if (std::string violation = check_ip(frame, packet); !violation.empty()) {
    return violation;
  }
  switch (packet.kind) {
    case PacketKind::kTransport:
      return check_transport(frame, packet);
    case PacketKind::kIcmpError:
      return check_inner(frame, packet);
    case PacketKind::kLaterFragment:
      return packet.fragment ? "" : "a later fragment that is no fragment";
    case PacketKind::kEchoRequest:
    case PacketKind::kIcmpOther:
      return frame.header_at<IcmpHeader>(packet.transport_offset) == nullptr ? "ICMP is cut off"
                                                                             : "";
    case PacketKind::kNeighborDiscovery:
      return packet.ttl != 255 || packet.fragment || packet.icmp_type < 133 ||
                     packet.icmp_type > 137
                 ? "neighbour discovery from afar"
                 : "";
    default:
      return {};
  }
}

namespace {

// Whether a transport packet is one that parse_plain() has no excuse to pass on.
bool is_surely_plain(const PacketView& frame, const ParsedPacket& packet) {
  const auto is_ordinary = [](const IpAddress& address) {
    const uint8_t first = address.bytes()[address.is_v4() ? 12 : 0];
    return address.is_v4() ? first != 0 && first != 127 && first < 224
                           : first != 0xff && first != 0;
  };
  return packet.kind == PacketKind::kTransport && !packet.multicast_frame &&
         packet.vlan_tags == 0 && !packet.fragment &&
         packet.transport_offset ==
             packet.network_offset +
                 (packet.family == Family::kIpv4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header)) &&
         is_ordinary(packet.source) && is_ordinary(packet.destination) &&
         frame.size() == frame.frame_size();
}

}  // namespace

std::string plain_disagreement(const PacketView& frame) {
  ParsedPacket packet;
  const DropReason reason = parse(frame, packet);
  ParsedPacket plain;
  // What was there before must not show through.
  plain.tcp_flags = 0xff;
  plain.icmp_code = 7;
  plain.vlan_id = 1;
  plain.payload_length = 4711;
  plain.fragment_id = 4711;
  plain.fragment_place = 4711;
  plain.fragment_length = 4711;
  if (parse_plain(frame, plain)) {
    return reason == DropReason::kNone && plain == packet
               ? ""
               : "parse_plain() takes what parse() refuses or sees otherwise";
  }
  return reason == DropReason::kNone && is_surely_plain(frame, packet)
             ? "parse_plain() does not take a plain packet"
             : "";
}

std::string violated_property(const Bytes& bytes) {
  const ExactBuffer buffer(bytes);
  if (std::string difference = plain_disagreement(buffer.view()); !difference.empty()) {
    return difference;
  }
  ParsedPacket packet;
  const DropReason reason = parse(buffer.view(), packet);
  if (!std::equal(bytes.begin(), bytes.end(), buffer.data())) {
    return "the parser wrote to the packet";
  }
  if (reason != DropReason::kNone) {
    return {};
  }
  // What was in `out` before must not show through.
  ParsedPacket again = packet;
  again.source_port = Big16::from_host(4711);
  again.inner.has_ports = true;
  again.vlan_id = 1;
  again.fragment_id = 4711;
  again.fragment_place = 4711;
  again.fragment_length = 4711;
  if (parse(buffer.view(), again) != DropReason::kNone || !(again == packet)) {
    return "a second parse says something else";
  }
  if (to_string(packet).empty()) {
    return "no text";
  }
  return violated_property(buffer.view(), packet);
}

}  // namespace ballast::testing
