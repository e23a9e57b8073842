#include "dataplane/neighbor/outgoing_advert.h"

#include "dataplane/packet/wire.h"

namespace ballast {
namespace {

constexpr uint8_t kAdvertType = 1;
constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr uint64_t kCentisecondNs = 10'000'000;

// What an advert of either version begins with (RFC 3768 section 5.1, RFC 9568 section 5.1).
struct AdvertHeader {
  uint8_t version_and_type;
  uint8_t virtual_router_id;
  uint8_t priority;
  uint8_t address_count;
  Big16 interval;  // v3: reserved (4 bits), centiseconds (12); v2: authentication type, seconds
  Big16 checksum;
};
static_assert(sizeof(AdvertHeader) == 8 && alignof(AdvertHeader) == 1);

// 0 where the version has no such interval.
uint64_t interval_of(const AdvertHeader& advert, bool is_v4) {
  const uint16_t field = advert.interval.to_host();
  switch (advert.version_and_type >> 4) {
    case 2:
      return is_v4 ? (field & 0xffU) * kSecondNs : 0;
    case 3:
      return (field & 0xfffU) * kCentisecondNs;
    default:
      return 0;
  }
}

// Behind the IP header; 0 when the packet carries something else.
size_t message_offset(PacketView frame, const EthernetHeader& ethernet) {
  if (ethernet.ether_type == kEtherTypeIpv4) {
    const auto* ip = frame.header_at<Ipv4Header>(sizeof(EthernetHeader));
    return ip != nullptr && ip->protocol == wire_byte(IpProtocol::kVrrp) && !ip->is_fragment() &&
                   ip->header_length() >= sizeof(Ipv4Header)
               ? sizeof(EthernetHeader) + ip->header_length()
               : 0;
  }
  if (ethernet.ether_type == kEtherTypeIpv6) {
    const auto* ip = frame.header_at<Ipv6Header>(sizeof(EthernetHeader));
    return ip != nullptr && ip->next_header == wire_byte(IpProtocol::kVrrp)
               ? sizeof(EthernetHeader) + sizeof(Ipv6Header)
               : 0;
  }
  return 0;
}

// Where a virtual router MAC stands in the set: its last byte, and the family's bit.
size_t place_of(const MacAddress& mac) {
  return size_t{mac.bytes()[5]} | (mac.bytes()[4] == 2 ? 256U : 0U);
}

}  // namespace

std::optional<OutgoingAdvert> find_outgoing_advert(PacketView frame) {
  const auto* ethernet = frame.header_at<EthernetHeader>(0);
  const size_t offset = ethernet == nullptr ? 0 : message_offset(frame, *ethernet);
  const auto* advert = offset == 0 ? nullptr : frame.header_at<AdvertHeader>(offset);
  if (advert == nullptr || (advert->version_and_type & 0x0f) != kAdvertType ||
      advert->virtual_router_id == 0) {
    return std::nullopt;
  }
  const bool is_v4 = ethernet->ether_type == kEtherTypeIpv4;
  const uint64_t interval_ns = interval_of(*advert, is_v4);
  if (interval_ns == 0) {
    return std::nullopt;
  }
  const uint8_t family = is_v4 ? 1 : 2;
  return OutgoingAdvert{MacAddress({0x00, 0x00, 0x5e, 0x00, family, advert->virtual_router_id}),
                        interval_ns};
}

void VirtualMacSet::add(const MacAddress& mac) {
  if (mac.is_vrrp_virtual()) {
    in_use_.set(place_of(mac));
  }
}

bool VirtualMacSet::contains(const MacAddress& mac) const {
  return mac.is_vrrp_virtual() && in_use_.test(place_of(mac));
}

}  // namespace ballast
