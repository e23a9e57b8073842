// IPv4: RFC 791, RFC 1122 section 3.2.1.
#include <bit>

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/parse_steps.h"

namespace ballast::parse_steps {
namespace {

constexpr uint8_t kVersion4WithoutOptions = 0x45;

bool header_checksum_is_good(const Ipv4Header* ip, size_t length) {
  // With the length a constant the sum is three loads and adds.
  return is_valid_checksum(length == sizeof(Ipv4Header) ? sum_bytes(ip, sizeof(Ipv4Header))
                                                        : sum_bytes(ip, length));
}

// The options between the fixed header and `length` bytes, which are readable. Source routing lets
// a sender choose the way around filters; no network forwards it any more (RFC 7126 section 4.3).
bool options_are_good(const Ipv4Header* ip, size_t length) {
  const auto* options = reinterpret_cast<const uint8_t*>(ip) + sizeof(Ipv4Header);
  const size_t end = length - sizeof(Ipv4Header);
  for (size_t at = 0; at < end;) {
    switch (static_cast<Ipv4Option>(options[at])) {
      case Ipv4Option::kEnd:
        return true;
      case Ipv4Option::kNoOperation:
        ++at;
        continue;
      case Ipv4Option::kLooseSourceRoute:
      case Ipv4Option::kStrictSourceRoute:
        return false;
      case Ipv4Option::kRecordRoute:
      case Ipv4Option::kTimestamp:
      case Ipv4Option::kRouterAlert:
        break;
    }
    if (end - at < 2 || options[at + 1] < 2 || options[at + 1] > end - at) {
      return false;
    }
    at += options[at + 1];
  }
  return true;
}

constexpr uint32_t kBroadcast = 0xffffffff;

constexpr bool is_multicast(uint32_t address) {
  return address >> 28 == 0xe;
}

// Both in host order. 240.0.0.0/4 is reserved and yet in use by some networks, so it passes.
DropReason check_addresses(uint32_t source, uint32_t destination) {
  if (source >> 24 == 127 || is_multicast(source) || source == kBroadcast) {
    return DropReason::kSourceAddress;
  }
  if (destination >> 24 == 127 || destination == 0) {
    return DropReason::kDestinationAddress;
  }
  if (source == 0 && !is_multicast(destination) && destination != kBroadcast) {
    return DropReason::kSourceAddress;  // DHCP and the like have no address yet
  }
  return source == destination ? DropReason::kLandAttack : DropReason::kNone;
}

uint32_t host_order(IpAddress::V4Bytes bytes) {
  return std::bit_cast<Big32>(bytes).to_host();
}

DropReason parse_fragment(const PacketView& frame, const Ipv4Header& ip, ParsedPacket& out) {
  const size_t length = transport_length(out);
  if (fragment_length_is_wrong(ip.fragment_offset(), length, ip.header_length(),
                               ip.more_fragments())) {
    return DropReason::kFragmentLength;
  }
  note_fragment(ip.identification.to_host(), ip.fragment_offset(), length, ip.more_fragments(),
                out);
  return ip.fragment_offset() != 0 ? parse_later_fragment(ip.fragment_offset(), out)
                                   : parse_transport(frame, false, out);
}

}  // namespace

DropReason parse_ipv4(const PacketView& frame, size_t offset, ParsedPacket& out) {
  const auto* ip = frame.header_at<Ipv4Header>(offset);
  if (ip == nullptr) {
    return DropReason::kIpv4Short;
  }
  size_t header_length = sizeof(Ipv4Header);
  if (ip->version_and_length != kVersion4WithoutOptions) [[unlikely]] {
    if (ip->version() != 4) {
      return DropReason::kIpv4Version;
    }
    header_length = ip->header_length();
    if (header_length < sizeof(Ipv4Header) || header_length > frame.size() - offset) {
      return DropReason::kIpv4HeaderLength;
    }
  }
  const uint16_t total_length = ip->total_length.to_host();
  if (total_length < header_length || total_length > frame.frame_size() - offset) {
    return DropReason::kIpv4TotalLength;
  }
  if (!header_checksum_is_good(ip, header_length)) {
    return DropReason::kIpv4Checksum;
  }
  if (header_length != sizeof(Ipv4Header) && !options_are_good(ip, header_length)) {
    return DropReason::kIpv4Options;
  }
  if (ip->ttl == 0) {
    return DropReason::kTtlExpired;
  }
  const DropReason reason = check_addresses(host_order(ip->source), host_order(ip->destination));
  if (reason != DropReason::kNone) {
    return reason;
  }
  out.family = Family::kIpv4;
  out.protocol = ip_protocol(ip->protocol);
  out.ttl = ip->ttl;
  out.network_offset = static_cast<uint16_t>(offset);
  out.network_length = total_length;
  out.transport_offset = static_cast<uint16_t>(offset + header_length);
  out.source = IpAddress::v4(ip->source);
  out.destination = IpAddress::v4(ip->destination);
  if (ip->is_fragment()) [[unlikely]] {
    return parse_fragment(frame, *ip, out);
  }
  return parse_transport(frame, false, out);
}

}  // namespace ballast::parse_steps
