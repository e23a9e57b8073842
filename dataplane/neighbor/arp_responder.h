// Answers to ARP for VIPs (RFC 826, RFC 5227), and the announcements that move a VIP.
//
// Pure functions on a frame: who owns an address is the caller's business. It reads the packet's
// addresses first, looks the target up, and asks for an answer only for a VIP that it holds.
#pragma once

#include <cstdint>

#include "dataplane/packet/address.h"
#include "dataplane/packet/drop_reason.h"
#include "dataplane/packet/frame_buffer.h"
#include "dataplane/packet/parser.h"

namespace ballast {

struct ArpTarget {
  IpAddress sender;  // 0.0.0.0 in a probe (RFC 5227 section 1.1)
  IpAddress target;
  MacAddress sender_mac;
  bool request = false;

  // Somebody says that this address is his: a reply, a request, an announcement from it (not a
  // probe for it).
  [[nodiscard]] bool claims(const IpAddress& address) const { return sender == address; }
};

// `packet` is of kind kArp, and made by the parser from `frame`.
ArpTarget read_arp(PacketView frame, const ParsedPacket& packet);

// Turns a request, a probe included, into the reply: kNone when `frame` holds what is to be sent on
// the port that it came from. kArpIgnored for replies and announcements, kArpMalformed when the
// sender is no single host; then nothing is changed.
DropReason answer_arp(FrameBuffer& frame, const ParsedPacket& packet, const MacAddress& vip_mac);

// An announcement in the form of a request is what RFC 5227 section 3 asks for; some hosts learn
// only from replies.
enum class GratuitousArp : uint8_t { kRequest, kReply };

// Writes a broadcast frame that says `address` is at `mac`. False, and nothing written, when it
// does not fit the capacity.
bool build_gratuitous_arp(FrameBuffer& frame, const MacAddress& mac, const IpAddress& address,
                          GratuitousArp form);

}  // namespace ballast
