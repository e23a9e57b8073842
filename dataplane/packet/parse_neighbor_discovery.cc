// Neighbour discovery: what RFC 4861 demands of a message before anybody may believe it.
#include <cstring>

#include "dataplane/packet/parse_steps.h"

namespace ballast::parse_steps {
namespace {

struct RedirectMessage {
  IcmpHeader icmp;
  IpAddress::V6Bytes target;
  IpAddress::V6Bytes destination;
};
static_assert(sizeof(RedirectMessage) == 40 && alignof(RedirectMessage) == 1);

constexpr size_t kRouterAdvertisementLength = 16;

// The fixed part of a message, in front of its options; 0 for a type that is none of the five.
size_t fixed_length(uint8_t type) {
  switch (type) {
    case kIcmpv6RouterSolicitation:
      return sizeof(IcmpHeader);
    case kIcmpv6RouterAdvertisement:
      return kRouterAdvertisementLength;
    case kIcmpv6NeighborSolicitation:
      return sizeof(NeighborSolicitation);
    case kIcmpv6NeighborAdvertisement:
      return sizeof(NeighborAdvertisement);
    case kIcmpv6Redirect:
      return sizeof(RedirectMessage);
    default:
      return 0;
  }
}

// Section 4.6: every option has a length, and together they fill the message.
struct Options {
  bool well_formed = false;
  bool source_link_layer_address = false;
};

Options read_options(const PacketView& frame, size_t offset, size_t end) {
  Options options;
  while (offset < end) {
    const auto* option = frame.header_at<NdOption>(offset);
    if (option == nullptr || option->length() == 0 || option->length() > end - offset) {
      return options;
    }
    options.source_link_layer_address |= option->type == kNdSourceLinkLayerAddress;
    offset += option->length();
  }
  options.well_formed = true;
  return options;
}

// ff02::1:ff00:0/104, RFC 4291 section 2.7.1.
bool is_solicited_node(const IpAddress& address) {
  static constexpr uint8_t kSolicitedNode[13] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  return std::memcmp(address.bytes().data(), kSolicitedNode, sizeof(kSolicitedNode)) == 0;
}

// A target is an address that a host may have: not multicast, and nothing that would be taken for
// IPv4 here.
bool is_host(const IpAddress::V6Bytes& bytes) {
  const IpAddress address = IpAddress::v6(bytes);
  return address.is_v6() && !address.is_multicast() && !address.is_unspecified() &&
         !address.is_loopback();
}

// Sections 6.1.1, 6.1.2, 7.1.1, 7.1.2 and 8.1, beyond what is the same for all; the fixed part is
// readable.
bool message_is_good(const PacketView& frame, const ParsedPacket& packet, const Options& options) {
  const size_t offset = packet.transport_offset;
  const bool unspecified_source = packet.source.is_unspecified();
  switch (packet.icmp_type) {
    case kIcmpv6RouterSolicitation:
      return !unspecified_source || !options.source_link_layer_address;
    case kIcmpv6RouterAdvertisement:
      return packet.source.is_link_local();
    case kIcmpv6NeighborSolicitation: {
      const auto* message = frame.header_at<NeighborSolicitation>(offset);
      return is_host(message->target) &&
             (!unspecified_source ||
              (is_solicited_node(packet.destination) && !options.source_link_layer_address));
    }
    case kIcmpv6NeighborAdvertisement: {
      const auto* message = frame.header_at<NeighborAdvertisement>(offset);
      const bool solicited = (message->flags & kNdFlagSolicited) != 0;
      return is_host(message->target) && !unspecified_source &&
             !(solicited && packet.destination.is_multicast());
    }
    default: {  // a redirect
      const auto* message = frame.header_at<RedirectMessage>(offset);
      return packet.source.is_link_local() && is_host(message->destination) &&
             is_host(message->target) &&
             (message->target == message->destination ||
              IpAddress::v6(message->target).is_link_local());
    }
  }
}

}  // namespace

DropReason parse_neighbor_discovery(const PacketView& frame, ParsedPacket& out) {
  const size_t fixed = fixed_length(out.icmp_type);
  if (out.ttl != kNdHopLimit || out.icmp_code != 0 || transport_length(out) < fixed) {
    return DropReason::kNdMalformed;
  }
  const Options options = read_options(frame, out.transport_offset + fixed, packet_end(out));
  if (!options.well_formed || !message_is_good(frame, out, options)) {
    return DropReason::kNdMalformed;
  }
  return DropReason::kNone;
}

}  // namespace ballast::parse_steps
