#include "tests/bench/frame_writer.h"

#include <algorithm>

#include "dataplane/packet/wire.h"
#include "tests/bench/addresses.h"

namespace ballast::bench {
namespace {

constexpr uint16_t kSmallest = 60;
constexpr uint8_t kTtl = 64;
constexpr Big16 kSomeChecksum = Big16::from_host(0x1234);

uint16_t transport_length(IpProtocol protocol) {
  return static_cast<uint16_t>(protocol == IpProtocol::kTcp ? sizeof(TcpHeader)
                                                            : sizeof(UdpHeader));
}

struct Ends {
  IpAddress::V4Bytes source_v4, destination_v4;
  IpAddress::V6Bytes source_v6, destination_v6;
  Big16 source_port, destination_port;
  uint32_t acknowledgment;
};

// At `place`; the header's length.
size_t write_ip(uint8_t* place, const FrameShape& shape, const Ends& ends) {
  if (shape.family == Family::kIpv4) {
    Ipv4Header ip{};
    ip.set_version_and_header_length(sizeof(ip));
    ip.total_length =
        Big16::from_host(static_cast<uint16_t>(sizeof(ip) + transport_length(shape.protocol)));
    ip.fragment = Big16::from_host(kIpv4DontFragment);
    ip.ttl = kTtl;
    ip.protocol = wire_byte(shape.protocol);
    ip.source = ends.source_v4;
    ip.destination = ends.destination_v4;
    std::memcpy(place, &ip, sizeof(ip));
    return sizeof(ip);
  }
  Ipv6Header ip{};
  ip.set_version_class_flow(0, 0);
  ip.payload_length = Big16::from_host(transport_length(shape.protocol));
  ip.next_header = wire_byte(shape.protocol);
  ip.hop_limit = kTtl;
  ip.source = ends.source_v6;
  ip.destination = ends.destination_v6;
  std::memcpy(place, &ip, sizeof(ip));
  return sizeof(ip);
}

// The frame's length.
uint16_t write_frame(FrameBytes& frame, const FrameShape& shape, const EthernetHeader& ethernet,
                     const Ends& ends) {
  std::memcpy(frame.data(), &ethernet, sizeof(ethernet));
  const size_t offset = sizeof(ethernet) + write_ip(frame.data() + sizeof(ethernet), shape, ends);
  if (shape.protocol == IpProtocol::kTcp) {
    TcpHeader tcp{};
    tcp.source_port = ends.source_port;
    tcp.destination_port = ends.destination_port;
    tcp.acknowledgment = Big32::from_host(ends.acknowledgment);
    tcp.set_header_length(sizeof(tcp));
    tcp.checksum = kSomeChecksum;
    std::memcpy(frame.data() + offset, &tcp, sizeof(tcp));
  } else {
    const UdpHeader udp{ends.source_port, ends.destination_port,
                        Big16::from_host(sizeof(UdpHeader)), kSomeChecksum};
    std::memcpy(frame.data() + offset, &udp, sizeof(udp));
  }
  return std::max(kSmallest, static_cast<uint16_t>(offset + transport_length(shape.protocol)));
}

Big16 ether_type_of(Family family) {
  return family == Family::kIpv4 ? kEtherTypeIpv4 : kEtherTypeIpv6;
}

Big16 vip_port_of(IpProtocol protocol) {
  return protocol == IpProtocol::kTcp ? kVipTcpPort : kVipUdpPort;
}

uint32_t last_word(const uint8_t* address_end) {
  uint32_t word = 0;
  std::memcpy(&word, address_end - sizeof(word), sizeof(word));
  return __builtin_bswap32(word);
}

uint32_t last_word(Family family, const IpAddress::V4Bytes& v4, const IpAddress::V6Bytes& v6) {
  return family == Family::kIpv4 ? last_word(v4.data() + v4.size())
                                 : last_word(v6.data() + v6.size());
}

}  // namespace

uint32_t sum_of_ipv4_header(const FrameBytes& frame) {
  std::array<uint16_t, sizeof(Ipv4Header) / 2> words{};
  std::memcpy(words.data(), frame.data() + sizeof(EthernetHeader), sizeof(Ipv4Header));
  uint32_t sum = 0;
  for (const uint16_t word : words) {
    sum += word;
  }
  return sum;
}

FrameWriter::FrameWriter(FrameShape shape) : shape_(shape) {
  const EthernetHeader ethernet{kWanMac, kRouterMac, ether_type_of(shape.family)};
  size_ = write_frame(template_, shape, ethernet,
                      {.source_v4 = {},
                       .destination_v4 = kVipV4,
                       .source_v6 = kClientsV6,
                       .destination_v6 = kVipV6,
                       .source_port = {},
                       .destination_port = vip_port_of(shape.protocol),
                       .acknowledgment = kServerSequence + 1});
  if (shape.family == Family::kIpv4) {
    checksum_base_ = sum_of_ipv4_header(template_);
    uint16_t half = 0;
    std::memcpy(&half, kVipV4.data(), sizeof(half));
    vip_half_ = uint64_t{half} << 48U;
  }
}

ReplyWriter::ReplyWriter(FrameShape shape, bool to_local)
    : shape_(shape),
      to_local_(to_local),
      first_local_(last_word(shape.family, local_v4(0), local_v6(0))),
      first_server_(last_word(shape.family, server_v4(0), server_v6(0))) {
  const EthernetHeader ethernet{kLanMac, server_mac(0), ether_type_of(shape.family)};
  size_ = write_frame(template_, shape, ethernet,
                      {.source_v4 = {},
                       .destination_v4 = {},
                       .source_v6 = server_v6(0),
                       .destination_v6 = to_local ? local_v6(0) : kClientsV6,
                       .source_port = kServerPort,
                       .destination_port = {},
                       .acknowledgment = kClientSequence + 1});
  if (shape.family == Family::kIpv4) {
    checksum_base_ = sum_of_ipv4_header(template_);
  }
}

}  // namespace ballast::bench
