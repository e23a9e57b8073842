// IPv6 extension headers: RFC 8200 section 4.
#include <algorithm>

#include "dataplane/packet/parse_steps.h"

namespace ballast::parse_steps {
namespace {

// RFC 8504 section 5.3 lets a node set a limit; more than this is no traffic, but an attempt to
// cost time.
constexpr int kMaximumExtensionHeaders = 8;
constexpr size_t kSmallestExtensionHeader = 8;

// RFC 7112: the first fragment holds the whole chain, so that filters can see it.
DropReason cut_off(const ExtensionWalk& walk) {
  return walk.more_fragments ? DropReason::kFragmentTiny : DropReason::kIpv6ExtensionHeader;
}

// Its 8 bytes are known to be there.
DropReason read_fragment_header(const PacketView& frame, ExtensionWalk& walk) {
  if (walk.fragment_header) {
    return DropReason::kIpv6ExtensionHeader;  // a fragment of a fragment
  }
  const auto* header = frame.header_at<Ipv6FragmentHeader>(walk.offset);
  walk.fragment_header = true;
  walk.fragment_id = header->identification.to_host();
  walk.fragment_offset = header->fragment_offset();
  walk.more_fragments = header->more_fragments();
  walk.fragment_start = walk.offset + sizeof(Ipv6FragmentHeader);
  return DropReason::kNone;
}

size_t length_of(IpProtocol type, const Ipv6ExtensionHeader& header) {
  switch (type) {
    case IpProtocol::kFragment:
      return sizeof(Ipv6FragmentHeader);  // the length field is reserved there
    case IpProtocol::kAuthentication:
      return std::max<size_t>(header.authentication_length(), kSmallestExtensionHeader);
    default:
      return header.length();
  }
}

}  // namespace

ExtensionWalk walk_extension_headers(const PacketView& frame, size_t offset, size_t end,
                                     IpProtocol first) {
  ExtensionWalk walk;
  walk.offset = offset;
  walk.protocol = first;
  const size_t readable = std::min(end, frame.size());
  for (int count = 0; is_extension_header(walk.protocol) && walk.fragment_offset == 0; ++count) {
    const bool misplaced = walk.protocol == IpProtocol::kHopByHop && count != 0;
    if (misplaced || count == kMaximumExtensionHeaders) {
      walk.reason = DropReason::kIpv6ExtensionHeader;
      return walk;
    }
    if (walk.offset > readable || readable - walk.offset < kSmallestExtensionHeader) {
      walk.reason = cut_off(walk);
      return walk;
    }
    const auto& header = *frame.header_at<Ipv6ExtensionHeader>(walk.offset);
    const size_t length = length_of(walk.protocol, header);
    if (length > readable - walk.offset) {
      walk.reason = cut_off(walk);
      return walk;
    }
    if (walk.protocol == IpProtocol::kFragment) {
      walk.reason = read_fragment_header(frame, walk);
    } else if (walk.protocol == IpProtocol::kRouting &&
               frame.header_at<Ipv6RoutingHeader>(walk.offset)->segments_left != 0) {
      walk.reason = DropReason::kIpv6RoutingHeader;
    }
    if (walk.reason != DropReason::kNone) {
      return walk;
    }
    walk.protocol = ip_protocol(header.next_header);
    walk.offset += length;
  }
  return walk;
}

}  // namespace ballast::parse_steps
