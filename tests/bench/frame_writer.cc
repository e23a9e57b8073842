#include "tests/bench/frame_writer.h"

#include <algorithm>

#include "dataplane/packet/wire.h"
#include "tests/bench/addresses.h"

namespace ballast::bench {
namespace {

constexpr uint16_t kSmallest = 60;
constexpr uint8_t kTtl = 64;

uint16_t transport_length(IpProtocol protocol) {
  return static_cast<uint16_t>(protocol == IpProtocol::kTcp ? sizeof(TcpHeader)
                                                            : sizeof(UdpHeader));
}

}  // namespace

FrameWriter::FrameWriter(FrameShape shape, const MacAddress& source, const MacAddress& destination)
    : shape_(shape) {
  const bool v4 = shape.family == Family::kIpv4;
  const EthernetHeader ethernet{destination, source, v4 ? kEtherTypeIpv4 : kEtherTypeIpv6};
  std::memcpy(template_.data(), &ethernet, sizeof(ethernet));
  v4 ? write_ipv4() : write_ipv6();
  uint8_t* transport =
      template_.data() + sizeof(ethernet) + (v4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header));
  if (shape.protocol == IpProtocol::kTcp) {
    TcpHeader tcp{};
    tcp.destination_port = kVipTcpPort;
    tcp.set_header_length(sizeof(tcp));
    std::memcpy(transport, &tcp, sizeof(tcp));
  } else {
    UdpHeader udp{};
    udp.destination_port = kVipUdpPort;
    udp.length = Big16::from_host(sizeof(UdpHeader));
    std::memcpy(transport, &udp, sizeof(udp));
  }
  const size_t end =
      static_cast<size_t>(transport - template_.data()) + transport_length(shape.protocol);
  size_ = std::max(kSmallest, static_cast<uint16_t>(end));
}

void FrameWriter::write_ipv4() {
  Ipv4Header ip{};
  ip.set_version_and_header_length(sizeof(ip));
  ip.total_length =
      Big16::from_host(static_cast<uint16_t>(sizeof(ip) + transport_length(shape_.protocol)));
  ip.fragment = Big16::from_host(kIpv4DontFragment);
  ip.ttl = kTtl;
  ip.protocol = wire_byte(shape_.protocol);
  ip.destination = kVipV4;
  std::memcpy(template_.data() + sizeof(EthernetHeader), &ip, sizeof(ip));
  std::array<uint16_t, sizeof(ip) / 2> words{};
  std::memcpy(words.data(), &ip, sizeof(ip));
  for (const uint16_t word : words) {
    checksum_base_ += word;
  }
  vip_half_ = uint64_t{words[8]} << 48U;
}

void FrameWriter::write_ipv6() {
  Ipv6Header ip{};
  ip.set_version_class_flow(0, 0);
  ip.payload_length = Big16::from_host(transport_length(shape_.protocol));
  ip.next_header = wire_byte(shape_.protocol);
  ip.hop_limit = kTtl;
  ip.source = kClientsV6;
  ip.destination = kVipV6;
  std::memcpy(template_.data() + sizeof(EthernetHeader), &ip, sizeof(ip));
}

}  // namespace ballast::bench
