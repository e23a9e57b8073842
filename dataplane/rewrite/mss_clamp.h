// The maximum segment size that SYN and SYN+ACK announce, lowered to what fits through a tunnel:
// a path that loses ICMP "too big" then still carries TCP.
//
// Every MSS option is lowered, since receivers differ in which of several counts. None is raised,
// none added: a peer that announces none expects 536 or 1220 bytes at most (RFC 9293
// section 3.7.1). Options are walked as a receiver does and left alone from the first that is
// malformed.
#pragma once

#include <cstdint>

#include "dataplane/packet/address.h"
#include "dataplane/packet/packet_view.h"
#include "dataplane/packet/parser.h"

namespace ballast {

// The largest segment in a packet of `mtu` bytes without options (RFC 6691 section 2); 0 when none
// fits.
uint16_t mss_for(uint16_t mtu, Family family);

// `packet` is what the parser made of `frame`. True when something was lowered; what is no TCP
// segment with SYN, or the later fragment of one, is left alone.
bool clamp_mss(PacketView frame, const ParsedHeaders& packet, uint16_t maximum);

}  // namespace ballast
