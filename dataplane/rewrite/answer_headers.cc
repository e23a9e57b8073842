#include "dataplane/rewrite/answer_headers.h"

#include <cassert>

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/wire.h"

namespace ballast {
namespace {

// "Don't fragment" with identification 0: an atomic datagram (RFC 6864 section 4.1).
void write_ipv4(Ipv4Header& ip, const AnswerHeaders& headers) {
  ip = Ipv4Header{};
  ip.set_version_and_header_length(sizeof(Ipv4Header));
  ip.traffic_class = headers.traffic_class;
  ip.total_length =
      Big16::from_host(static_cast<uint16_t>(sizeof(Ipv4Header) + headers.payload_length));
  ip.fragment = Big16::from_host(kIpv4DontFragment);
  ip.ttl = kAnswerTtl;
  ip.protocol = wire_byte(headers.protocol);
  ip.source = headers.source.v4_bytes();
  ip.destination = headers.destination.v4_bytes();
  ip.checksum = finish_checksum(sum_bytes(&ip, sizeof(Ipv4Header)));
}

void write_ipv6(Ipv6Header& ip, const AnswerHeaders& headers) {
  ip.set_version_class_flow(headers.traffic_class, 0);
  ip.payload_length = Big16::from_host(headers.payload_length);
  ip.next_header = wire_byte(headers.protocol);
  ip.hop_limit = kAnswerTtl;
  ip.source = headers.source.bytes();
  ip.destination = headers.destination.bytes();
}

}  // namespace

uint16_t answer_header_length(Family family) {
  return family == Family::kIpv4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header);
}

void write_answer_headers(FrameBuffer& frame, const AnswerHeaders& headers) {
  const Family family = headers.source.family();
  assert(headers.destination.family() == family);
  const size_t end =
      size_t{headers.network_offset} + answer_header_length(family) + headers.payload_length;
  assert(end <= frame.capacity);

  auto* ethernet = frame.room().header_at<EthernetHeader>(0);
  ethernet->destination = ethernet->source;
  ethernet->source = headers.source_mac;
  if (family == Family::kIpv4) {
    write_ipv4(*frame.room().header_at<Ipv4Header>(headers.network_offset), headers);
  } else {
    write_ipv6(*frame.room().header_at<Ipv6Header>(headers.network_offset), headers);
  }
  frame.length = static_cast<uint16_t>(end);
}

}  // namespace ballast
