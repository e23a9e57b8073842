#include "dataplane/rewrite/tcp_reset.h"

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/wire.h"
#include "dataplane/rewrite/answer_headers.h"

namespace ballast {
namespace {

TcpHeader reset_for(const TcpHeader& segment, const ParsedPacket& packet) {
  TcpHeader reset{};
  reset.source_port = segment.destination_port;
  reset.destination_port = segment.source_port;
  reset.set_header_length(sizeof(TcpHeader));
  if ((packet.tcp_flags & kAck) != 0) {
    reset.sequence = segment.acknowledgment;
    reset.flags = kRst;
    return reset;
  }
  uint32_t length = packet.payload_length;  // SYN and FIN take a number each
  length += (packet.tcp_flags & kSyn) != 0 ? 1 : 0;
  length += (packet.tcp_flags & kFin) != 0 ? 1 : 0;
  reset.acknowledgment = Big32::from_host(segment.sequence.to_host() + length);
  reset.flags = kRst | kAck;
  return reset;
}

}  // namespace

bool build_tcp_reset(FrameBuffer& frame, const ParsedPacket& packet, const MacAddress& source_mac) {
  // The length of a segment is not known from a fragment of it.
  if (packet.kind != PacketKind::kTransport || packet.protocol != IpProtocol::kTcp ||
      packet.fragment || (packet.tcp_flags & kRst) != 0) {
    return false;
  }
  const auto* segment = frame.view().header_at<TcpHeader>(packet.transport_offset);
  const size_t transport_offset =
      size_t{packet.network_offset} + answer_header_length(packet.family);
  auto* written = frame.room().header_at<TcpHeader>(transport_offset);
  if (segment == nullptr || written == nullptr) {
    return false;
  }
  TcpHeader reset = reset_for(*segment, packet);
  const ChecksumSum pseudo = pseudo_header_sum(packet.destination, packet.source, IpProtocol::kTcp,
                                               uint32_t{sizeof(TcpHeader)});
  reset.checksum = finish_checksum(sum_bytes(&reset, sizeof reset, pseudo));
  *written = reset;
  write_answer_headers(frame, {.source_mac = source_mac,
                               .source = packet.destination,
                               .destination = packet.source,
                               .protocol = IpProtocol::kTcp,
                               .network_offset = packet.network_offset,
                               .payload_length = sizeof(TcpHeader)});
  return true;
}

}  // namespace ballast
