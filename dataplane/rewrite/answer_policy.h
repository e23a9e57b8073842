// Whether a packet may be answered by an ICMP error or a TCP reset at all.
//
// What RFC 1122 section 3.2.2 and RFC 4443 section 2.4 (e) forbid keeps one bad packet from making
// a storm of answers, or an answer that makes another one: errors about errors, about what was sent
// to many, about all but the first fragment, to a source that is not one host. And a reset is never
// answered with a reset (RFC 9293 section 3.10.7.1). Rate limits are the caller's.
#pragma once

#include "dataplane/packet/packet_view.h"
#include "dataplane/packet/parser.h"

namespace ballast {

// `packet` is what the parser made of `frame`.
bool answer_is_allowed(PacketView frame, const ParsedPacket& packet);

}  // namespace ballast
