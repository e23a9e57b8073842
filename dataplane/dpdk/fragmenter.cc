#include "dataplane/dpdk/fragmenter.h"

#include <algorithm>
#include <cstring>

#include <rte_mbuf.h>

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/packet_view.h"
#include "dataplane/packet/wire.h"

namespace ballast {
namespace {

constexpr uint8_t kCopiedOption = 0x80;  // RFC 791 section 3.1: the option's first bit
constexpr size_t kFragmentUnit = 8;
constexpr size_t kMaximumVlanTags = 2;

// Ethernet and VLAN tags; `ether_type` is that of what they wrap.
size_t link_length(PacketView frame, Big16& ether_type) {
  const auto* ethernet = frame.header_at<EthernetHeader>(0);
  if (ethernet == nullptr) {
    return 0;
  }
  size_t length = sizeof(EthernetHeader);
  ether_type = ethernet->ether_type;
  for (size_t tags = 0; tags < kMaximumVlanTags &&
                        (ether_type == kEtherTypeVlan || ether_type == kEtherTypeServiceVlan);
       ++tags) {
    const auto* tag = frame.header_at<VlanTag>(length);
    if (tag == nullptr) {
      return 0;
    }
    ether_type = tag->ether_type;
    length += sizeof(VlanTag);
  }
  return length;
}

// The options of `header` that later fragments repeat, padded; at most as long as before. Malformed
// ones end the list.
size_t copy_options(const uint8_t* header, size_t header_length, uint8_t* out) {
  size_t written = 0;
  for (size_t at = sizeof(Ipv4Header); at < header_length;) {
    const auto kind = static_cast<Ipv4Option>(header[at]);
    if (kind == Ipv4Option::kNoOperation) {
      ++at;
      continue;
    }
    if (kind == Ipv4Option::kEnd || header_length - at < 2 || header[at + 1] < 2 ||
        header[at + 1] > header_length - at) {
      break;
    }
    const size_t length = header[at + 1];
    if ((header[at] & kCopiedOption) != 0) {
      std::memcpy(out + written, header + at, length);
      written += length;
    }
    at += length;
  }
  while (written % 4 != 0) {
    out[written++] = static_cast<uint8_t>(Ipv4Option::kEnd);
  }
  return written;
}

PacketView view_of(const rte_mbuf& frame) {
  return {rte_pktmbuf_mtod(&frame, uint8_t*), rte_pktmbuf_data_len(&frame),
          rte_pktmbuf_pkt_len(&frame)};
}

}  // namespace

// What is the same for all fragments of a packet.
struct Fragmenter::Plan {
  // Link-layer and IP header as they lie in front of the first fragment's data and of all later
  // ones'; lengths and offsets are filled in as they are written.
  std::array<uint8_t,
             sizeof(EthernetHeader) + kMaximumVlanTags * sizeof(VlanTag) + kIpv4MaximumHeaderLength>
      first, later;
  size_t link = 0;          // bytes of the link-layer header
  size_t first_header = 0;  // of the IP header, IPv6's fragment header included
  size_t later_header = 0;
  size_t data = 0;      // where the packet's data begin, in the frame
  size_t length = 0;    // of them
  uint16_t offset = 0;  // of the packet, which may be a fragment, in units of 8 bytes
  bool more = false;    // the packet is a fragment that is not the last
  bool is_ipv6 = false;
  bool needs_identification = false;
};

bool Fragmenter::plan_ipv4(const rte_mbuf& frame, Plan& plan) {
  const PacketView view = view_of(frame);
  const auto* ip = view.header_at<Ipv4Header>(plan.link);
  const size_t header = ip == nullptr ? 0 : ip->header_length();
  if (header < sizeof(Ipv4Header) || header > view.size() - plan.link || ip->dont_fragment() ||
      ip->total_length.to_host() <= header) {
    return false;
  }
  const uint8_t* bytes = view.data() + plan.link;
  std::memcpy(plan.first.data() + plan.link, bytes, header);
  std::memcpy(plan.later.data() + plan.link, bytes, sizeof(Ipv4Header));
  plan.first_header = header;
  plan.later_header =
      sizeof(Ipv4Header) +
      copy_options(bytes, header, plan.later.data() + plan.link + sizeof(Ipv4Header));
  // A later fragment that is cut again has lost its other options already.
  plan.data = plan.link + header;
  plan.length = ip->total_length.to_host() - header;
  plan.offset = ip->fragment.to_host() & kIpv4FragmentOffsetMask;
  plan.more = ip->more_fragments();
  plan.needs_identification = !ip->is_fragment() && ip->identification == Big16{};
  return true;
}

bool Fragmenter::plan_ipv6(const rte_mbuf& frame, Plan& plan) {
  const PacketView view = view_of(frame);
  const auto* ip = view.header_at<Ipv6Header>(plan.link);
  if (ip == nullptr || ip->payload_length == Big16{}) {
    return false;
  }
  switch (ip_protocol(ip->next_header)) {
    case IpProtocol::kHopByHop:
    case IpProtocol::kRouting:
    case IpProtocol::kDestinationOptions:
    case IpProtocol::kFragment:
      return false;
    default:
      break;
  }
  const Ipv6FragmentHeader fragment{
      .next_header = ip->next_header, .reserved = 0, .offset_and_flags = {}, .identification = {}};
  for (uint8_t* headers : {plan.first.data(), plan.later.data()}) {
    std::memcpy(headers + plan.link, ip, sizeof(Ipv6Header));
    headers[plan.link + offsetof(Ipv6Header, next_header)] = wire_byte(IpProtocol::kFragment);
    std::memcpy(headers + plan.link + sizeof(Ipv6Header), &fragment, sizeof(fragment));
  }
  plan.first_header = sizeof(Ipv6Header) + sizeof(Ipv6FragmentHeader);
  plan.later_header = plan.first_header;
  plan.data = plan.link + sizeof(Ipv6Header);
  plan.length = ip->payload_length.to_host();
  plan.is_ipv6 = true;
  plan.needs_identification = true;
  return true;
}

bool Fragmenter::make_plan(const rte_mbuf& frame, Plan& plan) {
  const PacketView view = view_of(frame);
  Big16 ether_type;
  plan.link = link_length(view, ether_type);
  if (plan.link == 0) {
    return false;
  }
  std::memcpy(plan.first.data(), view.data(), plan.link);
  std::memcpy(plan.later.data(), view.data(), plan.link);
  const bool planned = (ether_type == kEtherTypeIpv4 && plan_ipv4(frame, plan)) ||
                       (ether_type == kEtherTypeIpv6 && plan_ipv6(frame, plan));
  return planned && plan.data + plan.length <= view.frame_size();
}

// `length` bytes of the packet's data from `position` on, behind the headers that belong there.
bool Fragmenter::write(const rte_mbuf& frame, const Plan& plan, size_t position, size_t length,
                       rte_mbuf& fragment) const {
  const bool first = position == 0;
  const size_t header = first ? plan.first_header : plan.later_header;
  const size_t size = plan.link + header + length;
  auto* out =
      reinterpret_cast<uint8_t*>(rte_pktmbuf_append(&fragment, static_cast<uint16_t>(size)));
  if (out == nullptr) {
    return false;
  }
  std::memcpy(out, (first ? plan.first : plan.later).data(), plan.link + header);
  uint8_t* data = out + plan.link + header;
  const void* from = rte_pktmbuf_read(&frame, static_cast<uint32_t>(plan.data + position),
                                      static_cast<uint32_t>(length), data);
  if (from == nullptr) {
    return false;
  }
  if (from != data) {
    std::memcpy(data, from, length);  // it lies in one piece
  }
  const bool more = plan.more || position + length < plan.length;
  const auto offset = static_cast<uint16_t>(plan.offset + position / kFragmentUnit);
  if (plan.is_ipv6) {
    auto& ip = *reinterpret_cast<Ipv6Header*>(out + plan.link);
    ip.payload_length =
        Big16::from_host(static_cast<uint16_t>(sizeof(Ipv6FragmentHeader) + length));
    auto& extension = *reinterpret_cast<Ipv6FragmentHeader*>(&ip + 1);
    extension.offset_and_flags =
        Big16::from_host(static_cast<uint16_t>(offset * kFragmentUnit | (more ? 1U : 0U)));
    extension.identification = Big32::from_host(identification_);
    return true;
  }
  auto& ip = *reinterpret_cast<Ipv4Header*>(out + plan.link);
  ip.set_version_and_header_length(header);
  ip.total_length = Big16::from_host(static_cast<uint16_t>(header + length));
  if (plan.needs_identification) {
    ip.identification = Big16::from_host(static_cast<uint16_t>(identification_));
  }
  ip.fragment = Big16::from_host(static_cast<uint16_t>(offset | (more ? kIpv4MoreFragments : 0U)));
  ip.checksum = Big16{};
  ip.checksum = finish_checksum(sum_bytes(&ip, header));
  return true;
}

tl::expected<std::span<rte_mbuf*>, DropReason> Fragmenter::cut(const rte_mbuf& frame,
                                                               uint16_t mtu) {
  Plan plan;
  if (!make_plan(frame, plan)) {
    return tl::unexpected(DropReason::kTooBig);
  }
  // A fragment may be shorter than the MTU: never longer than a buffer.
  const size_t room = rte_pktmbuf_data_room_size(&pool_) - size_t{RTE_PKTMBUF_HEADROOM} - plan.link;
  const size_t most = std::min<size_t>(mtu, room);
  const size_t header = std::max(plan.first_header, plan.later_header);
  const size_t piece = most < header ? 0 : (most - header) / kFragmentUnit * kFragmentUnit;
  const size_t count = piece == 0 ? SIZE_MAX : (plan.length + piece - 1) / piece;
  if (count > kMostFragments) {
    return tl::unexpected(DropReason::kTooBig);
  }
  if (rte_pktmbuf_alloc_bulk(&pool_, fragments_.data(), static_cast<unsigned>(count)) != 0) {
    return tl::unexpected(DropReason::kNoBuffer);
  }
  if (plan.needs_identification) {
    do {
      identification_ += step_;
    } while ((identification_ & 0xffff) == 0);
  }
  for (size_t i = 0; i < count; ++i) {
    const size_t position = i * piece;
    if (!write(frame, plan, position, std::min(piece, plan.length - position), *fragments_[i])) {
      rte_pktmbuf_free_bulk(fragments_.data(), static_cast<unsigned>(count));
      return tl::unexpected(DropReason::kTooBig);
    }
  }
  return std::span(fragments_).first(count);
}

}  // namespace ballast
