// A TCP segment becomes the reset that answers it, in place (RFC 9293 section 3.10.7.1).
//
//   the segment has ACK:   <SEQ = SEG.ACK> <CTL = RST>
//   it has none:           <SEQ = 0> <ACK = SEG.SEQ + SEG.LEN> <CTL = RST, ACK>
//
// Addresses, ports and MACs are turned around; IPv4 options, IPv6 extension headers, TCP options
// and payload are dropped; VLAN tags stay.
#pragma once

#include "dataplane/packet/address.h"
#include "dataplane/packet/frame_buffer.h"
#include "dataplane/packet/parser.h"

namespace ballast {

// `packet` is what the parser made of `frame`; `source_mac` is what the frame is sent from. False,
// and nothing changed, when it is no whole TCP segment or is a reset itself. Whether it may be
// answered at all: answer_policy.h.
bool build_tcp_reset(FrameBuffer& frame, const ParsedPacket& packet, const MacAddress& source_mac);

}  // namespace ballast
