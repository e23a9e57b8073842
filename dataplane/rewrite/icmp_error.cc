#include "dataplane/rewrite/icmp_error.h"

#include <algorithm>
#include <cstring>

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/wire.h"
#include "dataplane/rewrite/answer_headers.h"

namespace ballast {
namespace {

constexpr size_t kLongestIpv4Error = 576;
constexpr size_t kLongestIpv6Error = 1280;
constexpr size_t kLeastQuotedPayload = 8;  // "the first 64 bits" (RFC 792)

struct TypeAndCode {
  uint8_t type;
  uint8_t code;
};

TypeAndCode type_and_code(Family family, IcmpErrorKind kind) {
  const bool v4 = family == Family::kIpv4;
  switch (kind) {
    case IcmpErrorKind::kPortUnreachable:
      return v4 ? TypeAndCode{kIcmpDestinationUnreachable, kIcmpPortUnreachable}
                : TypeAndCode{kIcmpv6DestinationUnreachable, kIcmpv6PortUnreachable};
    case IcmpErrorKind::kHostUnreachable:
      return v4 ? TypeAndCode{kIcmpDestinationUnreachable, kIcmpHostUnreachable}
                : TypeAndCode{kIcmpv6DestinationUnreachable, kIcmpv6AddressUnreachable};
    case IcmpErrorKind::kTimeExceeded:
      return {v4 ? kIcmpTimeExceeded : kIcmpv6TimeExceeded, kTimeExceededInTransit};
    case IcmpErrorKind::kTooBig:
      return v4 ? TypeAndCode{kIcmpDestinationUnreachable, kIcmpFragmentationNeeded}
                : TypeAndCode{kIcmpv6PacketTooBig, 0};
  }
  return {};
}

bool is_ip(PacketKind kind) {
  return kind != PacketKind::kArp && kind != PacketKind::kNotIp;
}

// How much of the packet is quoted; 0 when even the least does not fit.
size_t quoted_length(const FrameBuffer& frame, const ParsedPacket& packet, size_t headers) {
  if (frame.length <= packet.network_offset || frame.capacity < packet.network_offset + headers) {
    return 0;
  }
  const bool v4 = packet.family == Family::kIpv4;
  const size_t present =
      std::min<size_t>(frame.length - packet.network_offset, packet.network_length);
  const size_t longest = (v4 ? kLongestIpv4Error : kLongestIpv6Error) - headers;
  const size_t room = frame.capacity - packet.network_offset - headers;
  const size_t quoted = std::min({present, longest, room});
  // All IP headers, or the receiver cannot tell what it is about. A datagram that has no eight
  // bytes behind them is quoted whole.
  const size_t ip_headers = size_t{packet.transport_offset} - packet.network_offset;
  const size_t least = std::min(ip_headers + kLeastQuotedPayload, size_t{packet.network_length});
  return quoted >= least ? quoted : 0;
}

}  // namespace

bool build_icmp_error(FrameBuffer& frame, const ParsedPacket& packet, IcmpErrorKind kind,
                      const IpAddress& source, const MacAddress& source_mac, uint16_t mtu) {
  if (!is_ip(packet.kind) || source.family() != packet.family) {
    return false;
  }
  const bool v4 = packet.family == Family::kIpv4;
  const size_t ip_header = answer_header_length(packet.family);
  const size_t quoted = quoted_length(frame, packet, ip_header + sizeof(IcmpHeader));
  if (quoted == 0) {
    return false;
  }
  const size_t icmp_offset = packet.network_offset + ip_header;
  std::memmove(frame.data + icmp_offset + sizeof(IcmpHeader), frame.data + packet.network_offset,
               quoted);

  const auto length = static_cast<uint16_t>(sizeof(IcmpHeader) + quoted);
  const IpProtocol protocol = v4 ? IpProtocol::kIcmp : IpProtocol::kIcmpv6;
  const auto [type, code] = type_and_code(packet.family, kind);
  auto* icmp = frame.room().header_at<IcmpHeader>(icmp_offset);
  *icmp = IcmpHeader{.type = type, .code = code, .checksum = {}, .rest = {}};
  if (kind == IcmpErrorKind::kTooBig) {  // 16 bits in the last place, or 32 whose first are 0
    icmp->rest[2] = static_cast<uint8_t>(mtu >> 8);
    icmp->rest[3] = static_cast<uint8_t>(mtu);
  }
  const ChecksumSum pseudo =
      v4 ? ChecksumSum{} : pseudo_header_sum(source, packet.source, protocol, uint32_t{length});
  icmp->checksum = finish_checksum(sum_bytes(icmp, length, pseudo));

  write_answer_headers(frame, {.source_mac = source_mac,
                               .source = source,
                               .destination = packet.source,
                               .protocol = protocol,
                               .traffic_class = kTrafficClassControl,
                               .network_offset = packet.network_offset,
                               .payload_length = length});
  return true;
}

}  // namespace ballast
