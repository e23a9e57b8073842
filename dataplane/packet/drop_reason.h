// Why a packet went no further. Every drop has exactly one reason, every reason one counter per
// worker and one name, which `ballastctl drops` and the metrics print.
//
// To add a reason: one line below, its text in the same place. The order is free: counters are
// exported by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ballast {

// X(constant, "name", "what it means, for the operator")
#define BALLAST_DROP_REASONS(X)                                                                    \
  X(kNone, "none", "not dropped")                                                                  \
  X(kEthernetShort, "ethernet_short", "frame shorter than an Ethernet header")                     \
  X(kVlanShort, "vlan_short", "VLAN tag cut off")                                                  \
  X(kVlanUnexpected, "vlan_unexpected", "VLAN tag that no port is configured for")                 \
  X(kNotForUs, "not_for_us",                                                                       \
    "destination MAC is neither the port's nor a virtual one that is held")                        \
  X(kEtherTypeUnknown, "ethertype_unknown", "unicast frame that is neither IPv4, IPv6 nor ARP")    \
  X(kSourceMacOurs, "source_mac_ours",                                                             \
    "source MAC is this node's own or a virtual one: a loop in the network")                       \
  X(kIpv4Short, "ipv4_short", "IPv4 header cut off")                                               \
  X(kIpv4Version, "ipv4_version", "version field is not 4")                                        \
  X(kIpv4HeaderLength, "ipv4_header_length", "IPv4 header length below 20 or beyond the packet")   \
  X(kIpv4TotalLength, "ipv4_total_length",                                                         \
    "IPv4 total length below its header or beyond the frame")                                      \
  X(kIpv4Checksum, "ipv4_checksum", "IPv4 header checksum is wrong")                               \
  X(kIpv4Options, "ipv4_options", "malformed IPv4 option, or source routing")                      \
  X(kIpv6Short, "ipv6_short", "IPv6 header cut off")                                               \
  X(kIpv6Version, "ipv6_version", "version field is not 6")                                        \
  X(kIpv6PayloadLength, "ipv6_payload_length", "IPv6 payload length beyond the frame")             \
  X(kIpv6ExtensionHeader, "ipv6_extension_header",                                                 \
    "IPv6 extension header cut off, out of order, or too many")                                    \
  X(kIpv6RoutingHeader, "ipv6_routing_header",                                                     \
    "IPv6 routing header with segments left (RFC 5095)")                                           \
  X(kSourceAddress, "source_address",                                                              \
    "source is multicast, broadcast, loopback, unspecified or IPv4-mapped")                        \
  X(kDestinationAddress, "destination_address",                                                    \
    "destination is unspecified, loopback or IPv4-mapped")                                         \
  X(kLandAttack, "land_attack", "source and destination are the same address")                     \
  X(kTtlExpired, "ttl_expired", "TTL or hop limit is 0, or would become so")                       \
  X(kTcpShort, "tcp_short", "TCP header cut off")                                                  \
  X(kTcpHeaderLength, "tcp_header_length", "TCP data offset below 20 or beyond the segment")       \
  X(kTcpFlags, "tcp_flags",                                                                        \
    "TCP flags that no stack sends (none, SYN with FIN or RST, FIN with RST)")                     \
  X(kUdpShort, "udp_short", "UDP header cut off")                                                  \
  X(kUdpLength, "udp_length", "UDP length below 8 or beyond the packet")                           \
  X(kPortZero, "port_zero", "source or destination port is 0")                                     \
  X(kIcmpShort, "icmp_short", "ICMP message cut off")                                              \
  X(kIcmpChecksum, "icmp_checksum", "ICMP checksum is wrong")                                      \
  X(kIcmpInner, "icmp_inner",                                                                      \
    "ICMP error whose quoted packet is malformed or not from the error's destination")             \
  X(kIcmpSequence, "icmp_sequence",                                                                \
    "ICMP error that quotes a segment its connection cannot have sent (RFC 5927)")                 \
  X(kIcmpUnmatched, "icmp_unmatched", "ICMP error about no connection that is known")              \
  X(kIcmpOther, "icmp_other",                                                                      \
    "ICMP message to a VIP that is neither an echo request nor an error")                          \
  X(kFragmentTiny, "fragment_tiny",                                                                \
    "first fragment without its transport header, or an overlap of it (RFC 1858)")                 \
  X(kFragmentLength, "fragment_length",                                                            \
    "fragment without a byte, or not of a multiple of 8, or that ends beyond 65535")               \
  X(kFragmentLater, "fragment_later", "later fragment of a flow that is not known")                \
  X(kFragmentOverlap, "fragment_overlap", "fragment that overlaps another of its datagram")        \
  X(kFragmentRoom, "fragment_room",                                                                \
    "fragment that came before the first of its datagram, and no room to keep it")                 \
  X(kFragmentTimeout, "fragment_timeout",                                                          \
    "fragment whose datagram's first fragment did not come in time")                               \
  X(kArpMalformed, "arp_malformed", "ARP packet cut off or not for IPv4 over Ethernet")            \
  X(kArpIgnored, "arp_ignored", "ARP about a VIP that needs no answer")                            \
  X(kNdMalformed, "nd_malformed", "neighbour discovery message that RFC 4861 section 7.1 refuses") \
  X(kNdIgnored, "nd_ignored", "neighbour discovery message about a VIP that needs no answer")      \
  X(kLeaseEnded, "lease_ended",                                                                    \
    "decided while a lease was held that had ended before it could leave")                         \
  X(kVipNotOwned, "vip_not_owned",                                                                 \
    "for a VIP whose lease this node does not hold, or holds to forward and not to answer")        \
  X(kNoService, "no_service", "VIP, but no service listens on this protocol and port")             \
  X(kProtocolUnsupported, "protocol_unsupported", "VIP, but neither TCP, UDP nor ICMP")            \
  X(kNoUsableServer, "no_server", "service without a usable server")                               \
  X(kServerGone, "server_gone", "connection of a server that was removed or disabled")             \
  X(kNotSyn, "not_syn", "TCP segment of no known connection that does not open one")               \
  X(kUntrustedQuota, "untrusted_quota", "no room for a new flow among the untrusted")              \
  X(kReplyUnmatched, "reply_unmatched", "from a server, of no connection that is known")           \
  X(kNatCollision, "nat_collision",                                                                \
    "NAT: the client's port reaches every server that was tried through another VIP already")      \
  X(kLocalPortsExhausted, "local_ports_exhausted",                                                 \
    "FULLNAT: every port of the service's local addresses is taken or rests: add addresses")       \
  X(kLocalPortsMemory, "local_ports_memory",                                                       \
    "FULLNAT: no memory for another local port: raise connections.trusted")                        \
  X(kNoTunnelSource, "no_tunnel_source",                                                           \
    "TUN: the port to the server has no address to send from: give it one, or set a source")       \
  X(kNoHeadroom, "no_headroom", "TUN: the buffer has no room for the outer headers")               \
  X(kNoRoute, "no_route", "no route to the next hop")                                              \
  X(kNeighborFailed, "neighbor_failed", "the next hop does not answer ARP or ND")                  \
  X(kNeighborQueueFull, "neighbor_queue_full", "too many packets wait for the next hop's MAC")     \
  X(kNeighborTimeout, "neighbor_timeout", "waited too long for the next hop's MAC")                \
  X(kNextHopOurs, "next_hop_ours",                                                                 \
    "next hop's MAC is this node's own or a virtual one: would loop")                              \
  X(kPortDown, "port_down", "the port to the next hop is down")                                    \
  X(kTooBig, "too_big", "longer than the outgoing port's MTU")                                     \
  X(kTransit, "transit", "for neither a VIP nor this node: ballast is not a router")               \
  X(kPuntLimited, "punt_limited", "for the kernel twin: over the rate limit of its class")         \
  X(kAdvertStale, "advert_stale",                                                                  \
    "VRRP advert of this node that a worker left waiting for longer than its interval")            \
  X(kTwinFull, "twin_full",                                                                        \
    "the kernel did not take it: the twin's queue is full or the twin is down")                    \
  X(kHandOverFull, "hand_over_full", "the ring to the owner worker was full")                      \
  X(kTransmitFull, "transmit_full", "the port's transmit queue was full")                          \
  X(kTransmitRefused, "transmit_refused",                                                          \
    "the port's driver refuses the frame, or it has no room for the port's VLAN tag")              \
  X(kNoBuffer, "no_buffer", "no buffer for a packet")

enum class DropReason : uint8_t {
#define X(constant, name, text) constant,
  BALLAST_DROP_REASONS(X)
#undef X
};

inline constexpr size_t kDropReasons = 0
#define X(constant, name, text) +1
    BALLAST_DROP_REASONS(X)
#undef X
    ;

std::string_view name_of(DropReason reason);   // "ipv4_checksum"
std::string_view describe(DropReason reason);  // one line for an operator

}  // namespace ballast
