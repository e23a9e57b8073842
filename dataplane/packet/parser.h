// From bytes to a small struct, once per packet, or a named reason to drop it.
//
// parse() is the only place where lengths are checked (but for plain_packet.h, its short way for
// plain packets, which checks the same): header length, total length, fragments,
// extension headers, transport length. Later stages use the offsets it found and look at nothing
// twice. It reads no table and knows no configuration: whether an address is ours is decided by the
// pipeline. It never writes to the packet.
//
// IPv4 and IPv6 end in the same struct; what follows the parser asks for the family only where a
// rewrite differs.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/packet/drop_reason.h"
#include "dataplane/packet/flow_key.h"
#include "dataplane/packet/packet_view.h"
#include "dataplane/packet/tcp_flags.h"

namespace ballast {

enum class PacketKind : uint8_t {
  kTransport,    // TCP or UDP with its ports; a whole packet or a first fragment
  kEchoRequest,  // ICMP or ICMPv6 echo request
  kIcmpError,    // ICMP or ICMPv6 error with a quoted packet: `inner` is set
  kIcmpOther,    // any other ICMP or ICMPv6 message that is not neighbour discovery, and errors in
                 // fragments
  kLaterFragment,      // fragment with an offset: no ports
  kOtherIp,            // IP of another protocol (VRRP, OSPF, ESP, ...)
  kArp,                // ARP for IPv4 over Ethernet, complete
  kNeighborDiscovery,  // ICMPv6 types 133..137, hop limit 255, checksum good, options well-formed
  kNotIp,              // any other EtherType (LLDP, STP, ...)
};

// The packet quoted by an ICMP error, as far as it must be present (its IP header and eight bytes).
struct InnerPacket {
  IpAddress source;
  IpAddress destination;
  Big16 source_port;
  Big16 destination_port;
  IpProtocol protocol{};
  bool has_ports = false;       // TCP or UDP, and not a later fragment
  uint16_t network_offset = 0;  // of the quoted IP header, from the start of the frame
  uint16_t transport_offset = 0;

  friend bool operator==(const InnerPacket&, const InnerPacket&) = default;
};

// What is known of every packet. One cache line: on the packet path it is cleared, filled and read
// once for each packet.
struct ParsedHeaders {
  IpAddress source;  // of ARP: the sender's and the target's protocol address
  IpAddress destination;
  Big16 source_port;
  Big16 destination_port;
  uint16_t network_offset = 0;    // from the start of the frame
  uint16_t transport_offset = 0;  // of the TCP, UDP, ICMP header; for other IP, of what follows
  uint16_t network_length = 0;    // of the IP packet by its own header, without Ethernet padding
  uint16_t payload_length = 0;    // bytes behind the TCP header, UDP header
  uint16_t vlan_id = 0;           // of the outer tag
  PacketKind kind = PacketKind::kNotIp;
  Family family = Family::kIpv4;  // meaningful for every IP kind and ND; IPv4 for ARP
  IpProtocol protocol{};          // transport protocol, behind all extension headers
  uint8_t tcp_flags = 0;          // of TcpFlag, TCP only
  uint8_t ttl = 0;                // TTL or hop limit
  uint8_t icmp_type = 0;
  uint8_t icmp_code = 0;
  uint8_t vlan_tags = 0;         // how many tags were skipped, 0..2
  bool fragment = false;         // any fragment, the first included
  bool multicast_frame = false;  // destination MAC is multicast or broadcast
  // The rest is zero for whole packets, among which are the atomic fragments of IPv6 (RFC 6946).
  uint32_t fragment_id = 0;      // the datagram's identification; 16 bits in IPv4
  uint16_t fragment_place = 0;   // as the header of RFC 8200 has it: offset in bytes, a multiple of
                                 // 8; bit 0: more fragments follow
  uint16_t fragment_length = 0;  // bytes of the datagram that this one carries; never 0

  // As one word, for the same reason as FlowKey::set_ports_and_protocol().
  void set_ports(Big16 of_source, Big16 of_destination) {
    const uint32_t word = uint32_t{std::bit_cast<uint16_t>(of_source)} |
                          uint32_t{std::bit_cast<uint16_t>(of_destination)} << 16;
    std::memcpy(reinterpret_cast<uint8_t*>(this) + 2 * sizeof(IpAddress), &word, sizeof(word));
  }

  // The flow of a packet that goes from a client to a VIP.
  [[nodiscard]] FlowKey flow_from_client() const {
    return {source, destination, source_port, destination_port, protocol};
  }

  // Which bytes [begin, end) a fragment carries of what its datagram has behind the IP header; in
  // IPv6, behind the fragment header.
  [[nodiscard]] uint16_t fragment_begin() const { return fragment_place & 0xfff8; }
  [[nodiscard]] uint16_t fragment_end() const {
    return static_cast<uint16_t>(fragment_begin() + fragment_length);
  }
  [[nodiscard]] bool more_fragments() const { return (fragment_place & 1) != 0; }

  friend bool operator==(const ParsedHeaders&, const ParsedHeaders&) = default;
};
static_assert(sizeof(ParsedHeaders) <= 64);
static_assert(offsetof(ParsedHeaders, source_port) == 2 * sizeof(IpAddress) &&
              offsetof(ParsedHeaders, destination_port) == 2 * sizeof(IpAddress) + sizeof(Big16));

struct ParsedPacket : ParsedHeaders {
  InnerPacket inner;  // of kIcmpError only; of any other kind parse() leaves it as it was

  friend bool operator==(const ParsedPacket& a, const ParsedPacket& b) {
    return static_cast<const ParsedHeaders&>(a) == static_cast<const ParsedHeaders&>(b) &&
           (a.kind != PacketKind::kIcmpError || a.inner == b.inner);
  }
};

// Parses the frame from its Ethernet header. On kNone `out` is complete; on any other reason `out`
// is unspecified. TCP and UDP checksums are not verified (a Layer-4 forwarder passes them on);
// those of IPv4 headers, ICMP and ND are. Of a chained frame all headers, TCP options included,
// must lie in the first segment; the ICMP checksum is verified only where the whole message does.
DropReason parse(PacketView frame, ParsedPacket& out);

// Short text for logs and test failures: "tcp 198.51.100.7:40000 -> 192.0.2.10:80 S".
std::string to_string(const ParsedPacket& packet);

}  // namespace ballast
