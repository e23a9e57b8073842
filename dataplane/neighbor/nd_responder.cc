#include "dataplane/neighbor/nd_responder.h"

#include <cassert>
#include <cstring>

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/wire.h"

namespace ballast {
namespace {

constexpr IpAddress kAllNodes = IpAddress::v6({0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});

// What is written: IPv6 header, message, one option, without gaps.
struct Advertisement {
  Ipv6Header ip;
  NeighborAdvertisement message;
  NdLinkLayerAddressOption option;
};
constexpr uint16_t kMessageLength =
    sizeof(NeighborAdvertisement) + sizeof(NdLinkLayerAddressOption);
static_assert(sizeof(Advertisement) == sizeof(Ipv6Header) + kMessageLength);
static_assert(alignof(Advertisement) == 1);

Advertisement advertisement(const IpAddress& target, const IpAddress& destination,
                            const MacAddress& mac, uint8_t flags) {
  Advertisement result{};
  result.ip.set_version_class_flow(0, 0);
  result.ip.payload_length = Big16::from_host(kMessageLength);
  result.ip.next_header = wire_byte(IpProtocol::kIcmpv6);
  result.ip.hop_limit = kNdHopLimit;
  result.ip.source = target.bytes();
  result.ip.destination = destination.bytes();
  result.message.type = kIcmpv6NeighborAdvertisement;
  result.message.flags = flags;
  result.message.target = target.bytes();
  result.option = {.type = kNdTargetLinkLayerAddress, .length_field = 1, .address = mac};
  const ChecksumSum pseudo =
      pseudo_header_sum(target, destination, IpProtocol::kIcmpv6, uint32_t{kMessageLength});
  result.message.checksum =
      finish_checksum(sum_bytes(&result.option, sizeof result.option,
                                sum_bytes(&result.message, sizeof result.message, pseudo)));
  return result;
}

uint8_t flag_byte(NaFlags flags, bool solicited) {
  return static_cast<uint8_t>((flags.router ? kNdFlagRouter : 0) |
                              (flags.overrides ? kNdFlagOverride : 0) |
                              (solicited ? kNdFlagSolicited : 0));
}

bool is_message(const ParsedPacket& packet, uint8_t type) {
  return packet.kind == PacketKind::kNeighborDiscovery && packet.icmp_type == type;
}

// Where the solicitor says it is; without the option, where its frame came from. The parser has
// checked the options.
MacAddress solicitor_mac(PacketView frame, const ParsedPacket& packet,
                         const EthernetHeader& ethernet) {
  const size_t end = size_t{packet.network_offset} + packet.network_length;
  size_t offset = packet.transport_offset + sizeof(NeighborSolicitation);
  while (offset < end) {
    const auto* option = frame.header_at<NdOption>(offset);
    if (option == nullptr || option->length() == 0) {
      break;
    }
    const auto* address = frame.header_at<NdLinkLayerAddressOption>(offset);
    if (option->type == kNdSourceLinkLayerAddress && option->length_field == 1 &&
        address != nullptr) {
      return address->address;
    }
    offset += option->length();
  }
  return ethernet.source;
}

}  // namespace

MacAddress multicast_mac(const IpAddress& group) {
  const IpAddress::V6Bytes& bytes = group.bytes();
  return MacAddress({0x33, 0x33, bytes[12], bytes[13], bytes[14], bytes[15]});
}

std::optional<IpAddress> solicited_target(PacketView frame, const ParsedPacket& packet) {
  const auto* message = frame.header_at<NeighborSolicitation>(packet.transport_offset);
  if (!is_message(packet, kIcmpv6NeighborSolicitation) || message == nullptr) {
    return std::nullopt;
  }
  return IpAddress::v6(message->target);
}

std::optional<IpAddress> advertised_target(PacketView frame, const ParsedPacket& packet) {
  const auto* message = frame.header_at<NeighborAdvertisement>(packet.transport_offset);
  if (!is_message(packet, kIcmpv6NeighborAdvertisement) || message == nullptr) {
    return std::nullopt;
  }
  return IpAddress::v6(message->target);
}

DropReason answer_neighbor_solicitation(FrameBuffer& frame, const ParsedPacket& packet,
                                        const MacAddress& vip_mac, NaFlags flags) {
  const std::optional<IpAddress> target = solicited_target(frame.view(), packet);
  auto* ethernet = frame.view().header_at<EthernetHeader>(0);
  if (!target || ethernet == nullptr) {
    return DropReason::kNdIgnored;
  }
  const bool probe = packet.source.is_unspecified();
  const IpAddress destination = probe ? kAllNodes : packet.source;
  const MacAddress solicitor = solicitor_mac(frame.view(), packet, *ethernet);
  if (solicitor == vip_mac) {
    return DropReason::kNdIgnored;  // our own, looped back
  }
  if (solicitor.is_multicast() || solicitor.is_zero() || packet.source.is_multicast()) {
    return DropReason::kNdMalformed;
  }
  auto* written = frame.room().header_at<Advertisement>(packet.network_offset);
  if (written == nullptr) {
    return DropReason::kNoBuffer;
  }
  *written = advertisement(*target, destination, vip_mac, flag_byte(flags, !probe));
  ethernet->destination = probe ? multicast_mac(kAllNodes) : solicitor;
  ethernet->source = vip_mac;
  frame.length = static_cast<uint16_t>(packet.network_offset + sizeof(Advertisement));
  return DropReason::kNone;
}

bool build_unsolicited_advertisement(FrameBuffer& frame, const MacAddress& mac,
                                     const IpAddress& address, NaFlags flags) {
  assert(address.is_v6());
  auto* ethernet = frame.room().header_at<EthernetHeader>(0);
  auto* written = frame.room().header_at<Advertisement>(sizeof(EthernetHeader));
  if (ethernet == nullptr || written == nullptr) {
    return false;
  }
  *ethernet = {
      .destination = multicast_mac(kAllNodes), .source = mac, .ether_type = kEtherTypeIpv6};
  *written = advertisement(address, kAllNodes, mac, flag_byte(flags, false));
  frame.length = sizeof(EthernetHeader) + sizeof(Advertisement);
  return true;
}

}  // namespace ballast
