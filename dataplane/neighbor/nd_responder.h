// Answers to neighbour solicitations for VIPs (RFC 4861), duplicate address detection included (RFC
// 4862), and the advertisements that move a VIP. As arp_responder.h, in the other family.
#pragma once

#include <optional>

#include "dataplane/packet/address.h"
#include "dataplane/packet/drop_reason.h"
#include "dataplane/packet/frame_buffer.h"
#include "dataplane/packet/parser.h"

namespace ballast {

// Flags of an advertisement that are the caller's choice; "solicited" follows from what is
// answered.
struct NaFlags {
  bool router = false;    // VRRP: set when the virtual router is one (RFC 9568 section 8.2.2)
  bool overrides = true;  // what caches hold is replaced
};

// 33:33 and the last four bytes of an IPv6 multicast group (RFC 2464 section 7).
MacAddress multicast_mac(const IpAddress& group);

// The address that a neighbour solicitation asks about; nothing for any other message.
std::optional<IpAddress> solicited_target(PacketView frame, const ParsedPacket& packet);
// The address that a neighbour advertisement claims; nothing for any other message.
std::optional<IpAddress> advertised_target(PacketView frame, const ParsedPacket& packet);

// Turns a solicitation into the advertisement of its target: kNone when `frame` holds what is to be
// sent on the port that it came from. A probe of duplicate address detection is answered to all
// nodes (RFC 4861 section 7.2.4). The answer may be longer than the question: kNoBuffer when the
// capacity is too small. kNdIgnored for other messages, kNdMalformed when the sender is no single
// host; then nothing is changed.
DropReason answer_neighbor_solicitation(FrameBuffer& frame, const ParsedPacket& packet,
                                        const MacAddress& vip_mac, NaFlags flags);

// Writes a frame to all nodes that says `address` is at `mac` (RFC 4861 section 7.2.6). False, and
// nothing written, when it does not fit the capacity.
bool build_unsolicited_advertisement(FrameBuffer& frame, const MacAddress& mac,
                                     const IpAddress& address, NaFlags flags);

}  // namespace ballast
