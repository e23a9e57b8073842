// The steps of parse(), one file each. For the parser's own files only.
//
// A step reads its own header, fills its own fields of `out` and calls the next. What a step hands
// on, in `out`: network_offset, network_length, protocol, transport_offset and fragment, which
// together say where the packet ends and what it carries. Every step may rely on network_offset +
// network_length lying within the frame, though not within its first segment; headers must lie in
// the first segment.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/packet/packet_view.h"
#include "dataplane/packet/parser.h"
#include "dataplane/packet/wire.h"

namespace ballast::parse_steps {

DropReason parse_arp(const PacketView& frame, size_t offset, ParsedPacket& out);
DropReason parse_ipv4(const PacketView& frame, size_t offset, ParsedPacket& out);
DropReason parse_ipv6(const PacketView& frame, size_t offset, ParsedPacket& out);

// What follows the IP headers, both families: TCP, UDP, or by way of parse_icmp(), or nothing that
// is known here. `fragment_header` says that an IPv6 fragment header was seen, that of an atomic
// fragment included.
DropReason parse_transport(const PacketView& frame, bool fragment_header, ParsedPacket& out);
// A fragment that is not the first; `fragment_offset` in bytes.
DropReason parse_later_fragment(size_t fragment_offset, ParsedPacket& out);
DropReason parse_icmp(const PacketView& frame, bool fragment_header, ParsedPacket& out);
// Behind the checks of parse_icmp(): type is one of 133..137, checksum good, message contiguous.
DropReason parse_neighbor_discovery(const PacketView& frame, ParsedPacket& out);
// The packet quoted by an ICMP error, from `offset` to the end of the outer packet.
DropReason parse_inner(const PacketView& frame, size_t offset, ParsedPacket& out);

// The end of the IP packet, from the start of the frame.
inline size_t packet_end(const ParsedPacket& packet) {
  return size_t{packet.network_offset} + packet.network_length;
}
// The bytes behind the IP headers.
inline size_t transport_length(const ParsedPacket& packet) {
  return packet_end(packet) - packet.transport_offset;
}

// RFC 791 and RFC 8200 section 4.5: all fragments but the last are of a multiple of 8 bytes, and
// none may end beyond what a packet can hold ("ping of death"). One that carries nothing is sent by
// nobody. `unfragmented` bytes are repeated in each fragment.
inline bool fragment_length_is_wrong(size_t fragment_offset, size_t length, size_t unfragmented,
                                     bool more_fragments) {
  return length == 0 || (more_fragments && length % 8 != 0) ||
         unfragmented + fragment_offset + length > 0xffff;
}

// Of a fragment whose length is right.
inline void note_fragment(uint32_t id, size_t fragment_offset, size_t length, bool more_fragments,
                          ParsedPacket& out) {
  out.fragment = true;
  out.fragment_id = id;
  out.fragment_place = static_cast<uint16_t>(fragment_offset | (more_fragments ? 1U : 0U));
  out.fragment_length = static_cast<uint16_t>(length);
}

// The chain of IPv6 extension headers, walked to its end or to a later fragment.
struct ExtensionWalk {
  DropReason reason = DropReason::kNone;
  IpProtocol protocol{};  // of what follows the chain
  size_t offset = 0;      // of what follows the chain
  bool fragment_header = false;
  bool more_fragments = false;
  uint32_t fragment_id = 0;
  uint16_t fragment_offset = 0;  // bytes
  size_t fragment_start = 0;     // of what the fragment header is in front of; 0 without one

  [[nodiscard]] bool is_fragment() const { return more_fragments || fragment_offset != 0; }
};

inline bool is_extension_header(IpProtocol protocol) {
  constexpr auto kBit = [](IpProtocol p) { return uint64_t{1} << static_cast<unsigned>(p); };
  constexpr uint64_t kExtensions = kBit(IpProtocol::kHopByHop) | kBit(IpProtocol::kRouting) |
                                   kBit(IpProtocol::kFragment) | kBit(IpProtocol::kAuthentication) |
                                   kBit(IpProtocol::kDestinationOptions);
  const auto number = static_cast<unsigned>(protocol);
  return number < 64 && (kExtensions >> number & 1) != 0;
}

// From the first extension header at `offset`; nothing at or beyond `end` belongs to the packet.
ExtensionWalk walk_extension_headers(const PacketView& frame, size_t offset, size_t end,
                                     IpProtocol first);

}  // namespace ballast::parse_steps
