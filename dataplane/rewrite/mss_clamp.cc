#include "dataplane/rewrite/mss_clamp.h"

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/tcp_flags.h"
#include "dataplane/packet/wire.h"

namespace ballast {
namespace {

// The value of an MSS option `at` bytes from the start of the TCP header. True when it was lowered.
bool lower(Big16& value, size_t at, uint16_t maximum, ChecksumDelta& delta) {
  const Big16 before = value;
  if (before.to_host() <= maximum) {
    return false;
  }
  value = Big16::from_host(maximum);
  if (at % 2 == 0) {
    delta.replace(before, value);
  } else {
    delta.replace_at_odd_offset(before, value);
  }
  return true;
}

// The options from `at` to `end`, counted from the start of the TCP header at `tcp_offset`; all of
// them can be read.
bool lower_options(PacketView frame, size_t tcp_offset, size_t end, uint16_t maximum,
                   ChecksumDelta& delta) {
  bool lowered = false;
  const uint8_t* tcp = frame.data() + tcp_offset;
  for (size_t at = sizeof(TcpHeader); at < end;) {
    const auto kind = static_cast<TcpOption>(tcp[at]);
    if (kind == TcpOption::kNoOperation) {
      ++at;
      continue;
    }
    if (kind == TcpOption::kEnd || end - at < 2) {
      return lowered;
    }
    const size_t length = tcp[at + 1];
    if (length < 2 || length > end - at) {
      return lowered;
    }
    if (kind == TcpOption::kMaximumSegmentSize && length == kTcpMaximumSegmentSizeLength) {
      lowered |= lower(*frame.header_at<Big16>(tcp_offset + at + 2), at, maximum, delta);
    }
    at += length;
  }
  return lowered;
}

}  // namespace

uint16_t mss_for(uint16_t mtu, Family family) {
  const size_t headers =
      sizeof(TcpHeader) + (family == Family::kIpv4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header));
  return mtu > headers ? static_cast<uint16_t>(mtu - headers) : uint16_t{0};
}

bool clamp_mss(PacketView frame, const ParsedHeaders& packet, uint16_t maximum) {
  if (packet.kind != PacketKind::kTransport || packet.protocol != IpProtocol::kTcp ||
      (packet.tcp_flags & kSyn) == 0) {
    return false;
  }
  auto* tcp = frame.header_at<TcpHeader>(packet.transport_offset);
  if (tcp == nullptr || tcp->header_length() > frame.size() - packet.transport_offset) {
    return false;
  }
  ChecksumDelta delta;
  if (!lower_options(frame, packet.transport_offset, tcp->header_length(), maximum, delta)) {
    return false;
  }
  tcp->checksum = delta.apply(tcp->checksum);
  return true;
}

}  // namespace ballast
