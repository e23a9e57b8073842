// IPv6: RFC 8200, RFC 4291 for the addresses.
#include <bit>

#include "dataplane/packet/parse_steps.h"

namespace ballast::parse_steps {
namespace {

// The two halves as they lie in memory.
struct Halves {
  uint64_t first;
  uint64_t second;
};

constexpr IpAddress::V6Bytes kLoopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

bool is_unspecified(const Halves& address) {
  return (address.first | address.second) == 0;
}

bool is_loopback(const Halves& address) {
  return address.first == 0 && address.second == std::bit_cast<Halves>(kLoopback).second;
}

// RFC 4942 section 2.2: never on the wire; here it would also be taken for an IPv4 address.
bool is_mapped(const Halves& address) {
  constexpr auto kPrefix = std::bit_cast<Halves>(IpAddress::v4({}).bytes()).second;
  return address.first == 0 && (address.second & 0xffffffffU) == kPrefix;
}

DropReason check_addresses(const Ipv6Header& ip) {
  const auto source = std::bit_cast<Halves>(ip.source);
  const auto destination = std::bit_cast<Halves>(ip.destination);
  const bool to_multicast = ip.destination[0] == 0xff;
  if (ip.source[0] == 0xff) {
    return DropReason::kSourceAddress;
  }
  if (source.first == 0) {  // never on a plain packet
    // Duplicate address detection and MLD have no address yet; both speak to multicast only.
    if (is_loopback(source) || is_mapped(source) || (is_unspecified(source) && !to_multicast)) {
      return DropReason::kSourceAddress;
    }
  }
  if (destination.first == 0 &&
      (is_unspecified(destination) || is_loopback(destination) || is_mapped(destination))) {
    return DropReason::kDestinationAddress;
  }
  return source.first == destination.first && source.second == destination.second
             ? DropReason::kLandAttack
             : DropReason::kNone;
}

DropReason parse_extension_headers(const PacketView& frame, ParsedPacket& out) {
  const ExtensionWalk walk =
      walk_extension_headers(frame, out.transport_offset, packet_end(out), out.protocol);
  if (walk.reason != DropReason::kNone) {
    return walk.reason;
  }
  out.protocol = walk.protocol;
  out.transport_offset = static_cast<uint16_t>(walk.offset);
  if (walk.is_fragment()) {
    const size_t unfragmented =
        walk.fragment_start - sizeof(Ipv6FragmentHeader) - out.network_offset - sizeof(Ipv6Header);
    const size_t length = packet_end(out) - walk.fragment_start;
    if (fragment_length_is_wrong(walk.fragment_offset, length, unfragmented, walk.more_fragments)) {
      return DropReason::kFragmentLength;
    }
    note_fragment(walk.fragment_id, walk.fragment_offset, length, walk.more_fragments, out);
    if (walk.fragment_offset != 0) {
      return parse_later_fragment(walk.fragment_offset, out);
    }
  }
  return parse_transport(frame, walk.fragment_header, out);
}

}  // namespace

DropReason parse_ipv6(const PacketView& frame, size_t offset, ParsedPacket& out) {
  const auto* ip = frame.header_at<Ipv6Header>(offset);
  if (ip == nullptr) {
    return DropReason::kIpv6Short;
  }
  if (ip->version() != 6) {
    return DropReason::kIpv6Version;
  }
  // A jumbogram (RFC 2675) says 0 and is then refused by what it carries.
  const size_t length = sizeof(Ipv6Header) + ip->payload_length.to_host();
  if (length > frame.frame_size() - offset || length > 0xffff) {
    return DropReason::kIpv6PayloadLength;
  }
  if (ip->hop_limit == 0) {
    return DropReason::kTtlExpired;
  }
  const DropReason reason = check_addresses(*ip);
  if (reason != DropReason::kNone) {
    return reason;
  }
  out.family = Family::kIpv6;
  out.protocol = ip_protocol(ip->next_header);
  out.ttl = ip->hop_limit;
  out.network_offset = static_cast<uint16_t>(offset);
  out.network_length = static_cast<uint16_t>(length);
  out.transport_offset = static_cast<uint16_t>(offset + sizeof(Ipv6Header));
  out.source = IpAddress::v6(ip->source);
  out.destination = IpAddress::v6(ip->destination);
  if (is_extension_header(out.protocol)) [[unlikely]] {
    return parse_extension_headers(frame, out);
  }
  return parse_transport(frame, false, out);
}

}  // namespace ballast::parse_steps
