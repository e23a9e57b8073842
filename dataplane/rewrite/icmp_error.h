// A packet becomes the ICMP or ICMPv6 error about it, in place.
//
// The packet is moved back to make room for the new headers, and quoted as far as it fits: an IPv4
// error is at most 576 bytes long (RFC 1812 section 4.3.2.3), an IPv6 one at most 1280 (RFC 4443
// section 2.4 (c)). VLAN tags stay; the frame goes back the way it came.
#pragma once

#include <cstdint>

#include "dataplane/packet/address.h"
#include "dataplane/packet/frame_buffer.h"
#include "dataplane/packet/parser.h"

namespace ballast {

enum class IcmpErrorKind : uint8_t {
  kPortUnreachable,
  kHostUnreachable,
  kTimeExceeded,  // in transit
  kTooBig,        // "fragmentation needed" or "packet too big"; has the next hop's MTU
};

// `packet` is what the parser made of `frame`; `source` is the address that the error comes from,
// `source_mac` what the frame is sent from. False, and nothing changed, when there is no room for
// the least that must be quoted (the IP header and eight bytes), or `packet` is not IP of the
// source's family. Whether it may be answered: answer_policy.h.
bool build_icmp_error(FrameBuffer& frame, const ParsedPacket& packet, IcmpErrorKind kind,
                      const IpAddress& source, const MacAddress& source_mac, uint16_t mtu = 0);

}  // namespace ballast
