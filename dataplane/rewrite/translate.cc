#include "dataplane/rewrite/translate.h"

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/wire.h"
#include "dataplane/rewrite/translate_steps.h"

namespace ballast {
namespace {

// IANA "Assigned Internet Protocol Numbers"; the dataplane knows of them no more than this.
constexpr uint8_t kDccp = 33;
constexpr uint8_t kUdpLite = 136;

// What changes behind the IP headers.
struct TransportFields {
  TransportPorts* ports = nullptr;
  Big16* checksum = nullptr;  // over the pseudo header, too
  bool zero_is_none = false;
};

bool is_translatable(PacketKind kind) {
  switch (kind) {
    case PacketKind::kTransport:
    case PacketKind::kEchoRequest:
    case PacketKind::kIcmpOther:
    case PacketKind::kLaterFragment:
    case PacketKind::kOtherIp:
      return true;
    case PacketKind::kIcmpError:
    case PacketKind::kArp:
    case PacketKind::kNeighborDiscovery:
    case PacketKind::kNotIp:
      return false;
  }
  return false;
}

bool is_of_family(const std::optional<Endpoint>& end, Family family) {
  return !end || end->address.family() == family;
}

// False when what has to change is not there, or not known. That a header lies in the first segment
// the parser has seen; it is asked again only since it costs nothing.
bool find_tcp_or_udp(PacketView frame, const ParsedHeaders& packet, TransportFields& fields) {
  if (packet.protocol == IpProtocol::kTcp) {
    auto* tcp = frame.header_at<TcpHeader>(packet.transport_offset);
    fields.checksum = tcp != nullptr ? &tcp->checksum : nullptr;
  } else {
    auto* udp = frame.header_at<UdpHeader>(packet.transport_offset);
    fields.checksum = udp != nullptr ? &udp->checksum : nullptr;
    fields.zero_is_none = true;
  }
  fields.ports = frame.header_at<TransportPorts>(packet.transport_offset);
  return fields.checksum != nullptr;
}

bool find_transport(PacketView frame, const ParsedHeaders& packet, TransportFields& fields) {
  switch (packet.kind) {
    case PacketKind::kTransport:
      return find_tcp_or_udp(frame, packet, fields);
    case PacketKind::kEchoRequest:
    case PacketKind::kIcmpOther:
      if (packet.family == Family::kIpv6) {
        auto* icmp = frame.header_at<IcmpHeader>(packet.transport_offset);
        fields.checksum = icmp != nullptr ? &icmp->checksum : nullptr;
        return fields.checksum != nullptr;
      }
      return true;
    case PacketKind::kOtherIp:
      return wire_byte(packet.protocol) != kDccp && wire_byte(packet.protocol) != kUdpLite;
    default:
      return true;  // a later fragment
  }
}

void translate_ports(TransportPorts& ports, const Translation& to, ChecksumDelta& delta) {
  if (to.source) {
    translate_steps::replace(ports.source, to.source->port, delta);
  }
  if (to.destination) {
    translate_steps::replace(ports.destination, to.destination->port, delta);
  }
}

template <typename IpHeader>
RewriteResult write(IpHeader* ip, const TransportFields& fields, const Translation& to,
                    TtlAction ttl) {
  if (ip == nullptr) {
    return RewriteResult::kNotApplicable;
  }
  ChecksumDelta delta;
  if (to.source) {
    translate_steps::replace(ip->source, to.source->address, delta);
  }
  if (to.destination) {
    translate_steps::replace(ip->destination, to.destination->address, delta);
  }
  translate_steps::finish_header(*ip, ttl, delta);
  if (fields.ports != nullptr) {
    translate_ports(*fields.ports, to, delta);
  }
  if (fields.checksum != nullptr) {
    *fields.checksum =
        fields.zero_is_none ? delta.apply_udp(*fields.checksum) : delta.apply(*fields.checksum);
  }
  return RewriteResult::kDone;
}

}  // namespace

RewriteResult translate(PacketView frame, const ParsedHeaders& packet, const Translation& to,
                        TtlAction ttl) {
  TransportFields fields;
  if (!is_translatable(packet.kind) || !is_of_family(to.source, packet.family) ||
      !is_of_family(to.destination, packet.family) || !find_transport(frame, packet, fields)) {
    return RewriteResult::kNotApplicable;
  }
  if (!survives(packet.ttl, ttl)) {
    return RewriteResult::kTtlExpired;
  }
  return packet.family == Family::kIpv4
             ? write(frame.header_at<Ipv4Header>(packet.network_offset), fields, to, ttl)
             : write(frame.header_at<Ipv6Header>(packet.network_offset), fields, to, ttl);
}

}  // namespace ballast
