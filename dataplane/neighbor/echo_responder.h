// Ping: an echo request to a VIP becomes the echo reply, in place (RFC 792, RFC 1122
// section 3.2.2.6, RFC 4443 section 4.2). IPv4 options are returned as they came; IPv6 extension
// headers are left out.
#pragma once

#include "dataplane/packet/drop_reason.h"
#include "dataplane/packet/frame_buffer.h"
#include "dataplane/packet/parser.h"

namespace ballast {

// `packet` is what the parser made of `frame`. kNone when `frame` holds the reply, to be sent on
// the port that it came from. Nothing is changed otherwise: kIcmpOther for what is no echo request,
// kFragmentLater for a fragment (its checksum covers what is not here), kIcmpShort when the message
// does not lie in one piece, kDestinationAddress or kSourceAddress when either is not a single
// host.
DropReason answer_echo(FrameBuffer& frame, const ParsedPacket& packet);

}  // namespace ballast
