// The short way of a plain packet to its connection, inline in the stage that takes it: the same as
// classify() for a packet like one that went before it.
#pragma once

#include "dataplane/packet/wire.h"
#include "dataplane/pipeline/pipeline.h"

namespace ballast {

// Of eight bytes of a frame the six of a MAC, in one load: what is behind them is shifted out.
[[gnu::always_inline]] inline uint64_t mac_word(const void* eight_bytes) {
  uint64_t word = 0;
  std::memcpy(&word, eight_bytes, sizeof(word));
  return word << 16;
}
inline uint64_t mac_word(const MacAddress& mac) {
  uint64_t word = 0;
  std::memcpy(&word, mac.bytes().data(), mac.bytes().size());
  return word << 16;
}

[[gnu::always_inline]] inline bool Pipeline::is_open(const Gate& gate, const IpAddress& address,
                                                     const Packet& packet) const {
  static_assert(sizeof(MacAddress) + sizeof(uint64_t) <= sizeof(EthernetHeader));
  const uint8_t* frame = packet.data;  // an Ethernet header at the least
  return gate.epoch == epoch_ && gate.address == address &&
         gate.frame_destination == mac_word(frame) && gate.port == packet.in_port &&
         gate.port_mac != mac_word(frame + sizeof(MacAddress));
}

// The VIP or local address, if a packet to it came by the same port and MAC before, and was let in;
// else null, and classify() decides.
[[gnu::always_inline]] inline const LocalAddress* Pipeline::find_gate(
    const Packet& packet, const ParsedHeaders& parsed) const {
  const Gate& gate = gates_[gate_of(parsed.destination)];
  return is_open(gate, parsed.destination, packet) ? gate.local : nullptr;
}

// Whether a reply of the same server in NAT came by the same port and MAC before, and this packet
// is for somebody else, too.
[[gnu::always_inline]] inline bool Pipeline::passes_reply_gate(const Packet& packet,
                                                               const ParsedHeaders& parsed) const {
  return is_open(reply_gates_[gate_of(parsed.source)], parsed.source, packet) &&
         snapshot_->addresses->find(parsed.destination) == nullptr;
}

// Whether a NIC hashes this packet by the four-tuple of its flow. An ICMP error's flow is that of
// the packet it quotes; fragments, the first included, and what has extension headers (which many
// cards do not look behind) are hashed by their addresses alone.
inline bool is_hashed_by_ports(const ParsedHeaders& parsed) {
  return parsed.kind == PacketKind::kTransport && !parsed.fragment &&
         (parsed.family == Family::kIpv4 ||
          parsed.transport_offset == parsed.network_offset + sizeof(Ipv6Header));
}

// Whether a fragment may be of a datagram with ports: of all else no first one will ever come by
// the table of fragments. In IPv6 a later one names what stands behind the fragment header of the
// first, which may be an extension header in front of TCP or UDP (RFC 8200 section 4.5).
inline bool may_have_ports(const ParsedHeaders& parsed) {
  switch (parsed.protocol) {
    case IpProtocol::kTcp:
    case IpProtocol::kUdp:
      return true;
    case IpProtocol::kRouting:
    case IpProtocol::kAuthentication:
    case IpProtocol::kDestinationOptions:
      return parsed.family == Family::kIpv6;
    default:
      return false;
  }
}

// To its connection, by slot.key, if this worker owns it.
template <Pipeline::Replies kReplies>
[[gnu::always_inline]] inline void Pipeline::enter_flow(Packet& packet, Slot& slot) {
  if (around_.steering.workers() != 1 && packet.handed_over < HandOver::kFlow) {
    const WorkerIndex owner = owner_of(packet, slot);
    if (owner != worker_) {
      return hand_over(packet, slot, owner, HandOver::kFlow);
    }
  }
  if (kReplies == Replies::kNone || slot.from == Side::kClient) [[likely]] {
    connections_.prefetch_bucket(slot.flow(), slot.probe);
  } else {
    translations_->prefetch_bucket(slot.key, slot.probe);
  }
  flows_[flow_count_++] = {&packet, &slot};
  if (flow_count_ > kLead) [[likely]] {
    fetch_entry<kReplies>(*flows_[flow_count_ - 1 - kLead].slot);
  }
}

template <Pipeline::Replies kReplies>
[[gnu::always_inline]] inline void Pipeline::fetch_entry(Slot& slot) {
  if constexpr (kReplies == Replies::kNone) {
    return connections_.prefetch_entry(slot.probe);
  }
  if (slot.from == Side::kServer) {
    return translations_->prefetch_entry(slot.probe);
  }
  connections_.prefetch_entry(slot.probe);
  if (slot.local->translates && translations_ != nullptr) {
    translations_->prefetch_record(slot.probe);
  }
}

// A client's packet: the flow as it stands in it.
[[gnu::always_inline]] inline void Pipeline::key_of_client(Slot& slot) {
  const ParsedPacket& parsed = slot.parsed;
  FlowKey& flow = slot.flow();
  flow.client.set_words(parsed.source.words());
  flow.vip.set_words(parsed.destination.words());
  flow.set_ports_and_protocol(parsed.source_port, parsed.destination_port, parsed.protocol);
  slot.from = Side::kClient;
}

[[gnu::always_inline]] inline void Pipeline::key_of_reply(Slot& slot) {
  const ParsedPacket& parsed = slot.parsed;
  slot.key.assign({parsed.source, parsed.source_port, parsed.protocol}, parsed.destination,
                  parsed.destination_port);
  slot.from = Side::kServer;
}

// By slot.local, the way of a flow or of a reply.
template <Pipeline::Replies kReplies>
[[gnu::always_inline]] inline void Pipeline::enter_transport(Packet& packet, Slot& slot) {
  if (kReplies == Replies::kNone ||
      (slot.local != nullptr && slot.local->role == AddressRole::kVip)) [[likely]] {
    key_of_client(slot);
  } else {
    key_of_reply(slot);
  }
  enter_flow<kReplies>(packet, slot);
}

}  // namespace ballast
