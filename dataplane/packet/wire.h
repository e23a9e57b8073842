// Headers as they lie in a frame.
//
// Every struct here holds bytes and Big types only: alignment 1, no padding, no bit-fields, so that
// it may be laid over a frame at any offset (PacketView::header_at). Fields smaller than a byte are
// read and written by functions. A struct says nothing about validity; that is the parser's work.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/packet/address.h"
#include "dataplane/packet/byte_order.h"
#include "dataplane/packet/numbers.h"

namespace ballast {

// A protocol number as it stands in a header, and back.
constexpr uint8_t wire_byte(IpProtocol protocol) {
  return static_cast<uint8_t>(protocol);
}
constexpr IpProtocol ip_protocol(uint8_t byte) {
  return static_cast<IpProtocol>(byte);
}

// ---- Ethernet (IEEE 802.3) and VLAN tags (IEEE 802.1Q) ----

inline constexpr Big16 kEtherTypeIpv4 = Big16::from_host(0x0800);
inline constexpr Big16 kEtherTypeArp = Big16::from_host(0x0806);
inline constexpr Big16 kEtherTypeVlan = Big16::from_host(0x8100);         // 802.1Q customer tag
inline constexpr Big16 kEtherTypeServiceVlan = Big16::from_host(0x88a8);  // 802.1ad service tag
inline constexpr Big16 kEtherTypeIpv6 = Big16::from_host(0x86dd);

struct EthernetHeader {
  MacAddress destination;
  MacAddress source;
  Big16 ether_type;
};
static_assert(sizeof(EthernetHeader) == 14 && alignof(EthernetHeader) == 1);

// What follows the two bytes of EtherType 0x8100 or 0x88a8.
struct VlanTag {
  Big16 control;     // priority (3 bits), drop eligible (1), VLAN id (12)
  Big16 ether_type;  // of what the tag wraps

  [[nodiscard]] constexpr uint16_t vlan_id() const { return control.to_host() & 0x0fff; }
};
static_assert(sizeof(VlanTag) == 4 && alignof(VlanTag) == 1);

// ---- ARP for IPv4 over Ethernet (RFC 826) ----

inline constexpr Big16 kArpHardwareEthernet = Big16::from_host(1);
inline constexpr Big16 kArpRequest = Big16::from_host(1);
inline constexpr Big16 kArpReply = Big16::from_host(2);

struct ArpPacket {
  Big16 hardware_type;
  Big16 protocol_type;  // an EtherType
  uint8_t hardware_length;
  uint8_t protocol_length;
  Big16 operation;
  MacAddress sender_mac;
  IpAddress::V4Bytes sender_address;
  MacAddress target_mac;
  IpAddress::V4Bytes target_address;
};
static_assert(sizeof(ArpPacket) == 28 && alignof(ArpPacket) == 1);

// ---- IPv4 (RFC 791) ----

inline constexpr size_t kIpv4MaximumHeaderLength = 60;
inline constexpr uint16_t kIpv4DontFragment = 0x4000;
inline constexpr uint16_t kIpv4MoreFragments = 0x2000;
inline constexpr uint16_t kIpv4FragmentOffsetMask = 0x1fff;

struct Ipv4Header {
  uint8_t version_and_length;
  uint8_t traffic_class;  // DSCP and ECN, RFC 2474 and RFC 3168
  Big16 total_length;
  Big16 identification;
  Big16 fragment;  // flags (3 bits), offset in units of 8 bytes (13)
  uint8_t ttl;
  uint8_t protocol;
  Big16 checksum;
  IpAddress::V4Bytes source;
  IpAddress::V4Bytes destination;

  [[nodiscard]] constexpr uint8_t version() const { return version_and_length >> 4; }
  [[nodiscard]] constexpr uint16_t header_length() const {
    return static_cast<uint16_t>((version_and_length & 0x0f) * 4);
  }
  constexpr void set_version_and_header_length(size_t bytes) {
    version_and_length = static_cast<uint8_t>(0x40 | (bytes / 4));
  }
  // In bytes.
  [[nodiscard]] constexpr uint16_t fragment_offset() const {
    return static_cast<uint16_t>((fragment.to_host() & kIpv4FragmentOffsetMask) * 8);
  }
  [[nodiscard]] constexpr bool more_fragments() const {
    return (fragment.to_host() & kIpv4MoreFragments) != 0;
  }
  [[nodiscard]] constexpr bool dont_fragment() const {
    return (fragment.to_host() & kIpv4DontFragment) != 0;
  }
  [[nodiscard]] constexpr bool is_fragment() const {
    return (fragment.to_host() & (kIpv4MoreFragments | kIpv4FragmentOffsetMask)) != 0;
  }
};
static_assert(sizeof(Ipv4Header) == 20 && alignof(Ipv4Header) == 1);

enum class Ipv4Option : uint8_t {
  kEnd = 0,
  kNoOperation = 1,
  kRecordRoute = 7,
  kTimestamp = 68,
  kLooseSourceRoute = 131,
  kStrictSourceRoute = 137,
  kRouterAlert = 148,
};

// ---- IPv6 (RFC 8200) ----

struct Ipv6Header {
  Big32 version_class_flow;  // version (4 bits), traffic class (8), flow label (20)
  Big16 payload_length;      // of all that follows this header
  uint8_t next_header;
  uint8_t hop_limit;
  IpAddress::V6Bytes source;
  IpAddress::V6Bytes destination;

  [[nodiscard]] constexpr uint8_t version() const {
    return static_cast<uint8_t>(version_class_flow.to_host() >> 28);
  }
  [[nodiscard]] constexpr uint8_t traffic_class() const {
    return static_cast<uint8_t>(version_class_flow.to_host() >> 20);
  }
  [[nodiscard]] constexpr uint32_t flow_label() const {
    return version_class_flow.to_host() & 0xfffffU;
  }
  constexpr void set_version_class_flow(uint8_t traffic_class, uint32_t flow_label) {
    version_class_flow =
        Big32::from_host((6U << 28) | (uint32_t{traffic_class} << 20) | (flow_label & 0xfffffU));
  }
};
static_assert(sizeof(Ipv6Header) == 40 && alignof(Ipv6Header) == 1);

// The start of hop-by-hop options, destination options, routing and authentication headers.
struct Ipv6ExtensionHeader {
  uint8_t next_header;
  uint8_t length_field;

  // Bytes; units of 8 beyond the first 8 (RFC 8200 section 4.2).
  [[nodiscard]] constexpr uint16_t length() const {
    return static_cast<uint16_t>((length_field + 1) * 8);
  }
  // Bytes; the authentication header counts in units of 4, minus 2 (RFC 4302 section 2.2).
  [[nodiscard]] constexpr uint16_t authentication_length() const {
    return static_cast<uint16_t>((length_field + 2) * 4);
  }
};
static_assert(sizeof(Ipv6ExtensionHeader) == 2 && alignof(Ipv6ExtensionHeader) == 1);

struct Ipv6RoutingHeader {
  uint8_t next_header;
  uint8_t length_field;
  uint8_t routing_type;
  uint8_t segments_left;
};
static_assert(sizeof(Ipv6RoutingHeader) == 4 && alignof(Ipv6RoutingHeader) == 1);

struct Ipv6FragmentHeader {
  uint8_t next_header;
  uint8_t reserved;
  Big16 offset_and_flags;  // offset in units of 8 bytes (13 bits), reserved (2), more fragments (1)
  Big32 identification;

  // In bytes.
  [[nodiscard]] constexpr uint16_t fragment_offset() const {
    return offset_and_flags.to_host() & 0xfff8;
  }
  [[nodiscard]] constexpr bool more_fragments() const {
    return (offset_and_flags.to_host() & 1) != 0;
  }
};
static_assert(sizeof(Ipv6FragmentHeader) == 8 && alignof(Ipv6FragmentHeader) == 1);

// ---- TCP (RFC 9293) and UDP (RFC 768); the flags are TcpFlag of parser.h ----

struct TcpHeader {
  Big16 source_port;
  Big16 destination_port;
  Big32 sequence;
  Big32 acknowledgment;
  uint8_t data_offset;  // header length in units of 4 bytes (4 bits), reserved (4)
  uint8_t flags;        // CWR ECE URG ACK PSH RST SYN FIN
  Big16 window;
  Big16 checksum;
  Big16 urgent_pointer;

  [[nodiscard]] constexpr uint16_t header_length() const {
    return static_cast<uint16_t>((data_offset >> 4) * 4);
  }
  constexpr void set_header_length(size_t bytes) {
    data_offset = static_cast<uint8_t>((bytes / 4) << 4);
  }
};
static_assert(sizeof(TcpHeader) == 20 && alignof(TcpHeader) == 1);

struct UdpHeader {
  Big16 source_port;
  Big16 destination_port;
  Big16 length;    // header included
  Big16 checksum;  // 0: none (IPv4 only)
};
static_assert(sizeof(UdpHeader) == 8 && alignof(UdpHeader) == 1);

// TCP and UDP begin alike.
struct TransportPorts {
  Big16 source;
  Big16 destination;
};
static_assert(sizeof(TransportPorts) == 4 && alignof(TransportPorts) == 1);

enum class TcpOption : uint8_t { kEnd = 0, kNoOperation = 1, kMaximumSegmentSize = 2 };
// Kind, length and value of the maximum segment size (RFC 9293 section 3.7.1).
inline constexpr size_t kTcpMaximumSegmentSizeLength = 4;

// ---- Tunnels: GRE (RFC 2784), GUE (draft-ietf-intarea-gue, variant 0) ----

// Without checksum, key and sequence number, which RFC 2784 and RFC 2890 add.
struct GreHeader {
  Big16 flags_and_version;  // 0
  Big16 protocol_type;      // an EtherType
};
static_assert(sizeof(GreHeader) == 4 && alignof(GreHeader) == 1);

// Behind a UDP header to port 6080.
struct GueHeader {
  uint8_t variant_and_length;  // variant (2 bits), control (1), length of extensions / 4 (5)
  uint8_t protocol;            // an IP protocol: kIpIp or kIpv6
  Big16 flags;
};
static_assert(sizeof(GueHeader) == 4 && alignof(GueHeader) == 1);

inline constexpr Big16 kGuePort = Big16::from_host(6080);  // IANA

// ---- ICMP (RFC 792) and ICMPv6 (RFC 4443) ----

// `rest` is identifier and sequence number of an echo, next-hop MTU of "too big", unused in most
// errors.
struct IcmpHeader {
  uint8_t type;
  uint8_t code;
  Big16 checksum;
  std::array<uint8_t, 4> rest;
};
static_assert(sizeof(IcmpHeader) == 8 && alignof(IcmpHeader) == 1);

inline constexpr uint8_t kIcmpEchoReply = 0;
inline constexpr uint8_t kIcmpDestinationUnreachable = 3;
inline constexpr uint8_t kIcmpSourceQuench = 4;
inline constexpr uint8_t kIcmpRedirect = 5;
inline constexpr uint8_t kIcmpEchoRequest = 8;
inline constexpr uint8_t kIcmpTimeExceeded = 11;
inline constexpr uint8_t kIcmpParameterProblem = 12;
// Codes of destination unreachable.
inline constexpr uint8_t kIcmpNetworkUnreachable = 0;
inline constexpr uint8_t kIcmpHostUnreachable = 1;
inline constexpr uint8_t kIcmpProtocolUnreachable = 2;
inline constexpr uint8_t kIcmpPortUnreachable = 3;
inline constexpr uint8_t kIcmpFragmentationNeeded = 4;
inline constexpr uint8_t kIcmpAdministrativelyProhibited = 13;
// Codes of time exceeded, both families.
inline constexpr uint8_t kTimeExceededInTransit = 0;
inline constexpr uint8_t kTimeExceededInReassembly = 1;

inline constexpr uint8_t kIcmpv6DestinationUnreachable = 1;
inline constexpr uint8_t kIcmpv6PacketTooBig = 2;
inline constexpr uint8_t kIcmpv6TimeExceeded = 3;
inline constexpr uint8_t kIcmpv6ParameterProblem = 4;
inline constexpr uint8_t kIcmpv6LastError =
    127;  // types up to here are errors (RFC 4443 section 2.1)
inline constexpr uint8_t kIcmpv6EchoRequest = 128;
inline constexpr uint8_t kIcmpv6EchoReply = 129;
inline constexpr uint8_t kIcmpv6MulticastListenerQuery = 130;
inline constexpr uint8_t kIcmpv6RouterSolicitation = 133;
inline constexpr uint8_t kIcmpv6RouterAdvertisement = 134;
inline constexpr uint8_t kIcmpv6NeighborSolicitation = 135;
inline constexpr uint8_t kIcmpv6NeighborAdvertisement = 136;
inline constexpr uint8_t kIcmpv6Redirect = 137;
inline constexpr uint8_t kIcmpv6MulticastListenerReportV2 = 143;
// Codes of destination unreachable.
inline constexpr uint8_t kIcmpv6NoRoute = 0;
inline constexpr uint8_t kIcmpv6AdministrativelyProhibited = 1;
inline constexpr uint8_t kIcmpv6AddressUnreachable = 3;
inline constexpr uint8_t kIcmpv6PortUnreachable = 4;

// ---- Neighbour discovery (RFC 4861) ----

inline constexpr uint8_t kNdHopLimit = 255;
// Flags of a neighbour advertisement, in its first byte behind the checksum.
inline constexpr uint8_t kNdFlagRouter = 0x80;
inline constexpr uint8_t kNdFlagSolicited = 0x40;
inline constexpr uint8_t kNdFlagOverride = 0x20;

struct NeighborSolicitation {
  uint8_t type;
  uint8_t code;
  Big16 checksum;
  std::array<uint8_t, 4> reserved;
  IpAddress::V6Bytes target;
};
static_assert(sizeof(NeighborSolicitation) == 24 && alignof(NeighborSolicitation) == 1);

struct NeighborAdvertisement {
  uint8_t type;
  uint8_t code;
  Big16 checksum;
  uint8_t flags;
  std::array<uint8_t, 3> reserved;
  IpAddress::V6Bytes target;
};
static_assert(sizeof(NeighborAdvertisement) == 24 && alignof(NeighborAdvertisement) == 1);

inline constexpr uint8_t kNdSourceLinkLayerAddress = 1;
inline constexpr uint8_t kNdTargetLinkLayerAddress = 2;

struct NdOption {
  uint8_t type;
  uint8_t length_field;  // in units of 8 bytes, these two included; 0 is malformed

  [[nodiscard]] constexpr uint16_t length() const {
    return static_cast<uint16_t>(length_field * 8);
  }
};
static_assert(sizeof(NdOption) == 2 && alignof(NdOption) == 1);

struct NdLinkLayerAddressOption {
  uint8_t type;
  uint8_t length_field;  // 1
  MacAddress address;
};
static_assert(sizeof(NdLinkLayerAddressOption) == 8 && alignof(NdLinkLayerAddressOption) == 1);

}  // namespace ballast
