// The short way of a plain packet to its connection, inline in the stage that takes it: the same as
// classify() for a packet like one that went before it.
#pragma once

#include "dataplane/packet/wire.h"
#include "dataplane/pipeline/pipeline.h"

namespace ballast {

// The VIP, if a packet to it came by the same port and MAC in this burst, and was let in; else
// null, and classify() decides.
inline const LocalAddress* Pipeline::find_gate(const Packet& packet,
                                               const ParsedHeaders& parsed) const {
  const Gate& gate = gates_[gate_of(parsed.destination)];
  const auto& ethernet = *packet.view().header_at<EthernetHeader>(0);
  const bool open = gate.burst == burst_ && gate.address == parsed.destination &&
                    gate.frame_destination == ethernet.destination && gate.port == packet.in_port &&
                    ethernet.source != gate.port_mac;
  return open ? gate.vip : nullptr;
}

// Whether a NIC hashes this packet by the four-tuple of its flow. An ICMP error's flow is that of
// the packet it quotes; fragments, the first included, and what has extension headers (which many
// cards do not look behind) are hashed by their addresses alone.
inline bool is_hashed_by_ports(const ParsedHeaders& parsed) {
  return parsed.kind == PacketKind::kTransport && !parsed.fragment &&
         (parsed.family == Family::kIpv4 ||
          parsed.transport_offset == parsed.network_offset + sizeof(Ipv6Header));
}

// To its connection, by slot.key, if this worker owns it.
inline void Pipeline::enter_flow(Packet& packet, Slot& slot) {
  if (around_.steering.workers() != 1 && packet.handed_over != HandOver::kFlow) {
    const bool hash_is_of_flow = packet.has_rss_hash && is_hashed_by_ports(slot.parsed);
    const WorkerIndex owner = hash_is_of_flow ? around_.steering.owner(packet.rss_hash)
                                              : around_.steering.owner(slot.key);
    if (owner != worker_) {
      packet.verdict = Verdict::kHandOver;
      packet.owner = owner;
      packet.hand_over_for = HandOver::kFlow;
      around_.counters.handed_over.add(1);
      return;
    }
  }
  connections_.prefetch_bucket(slot.key, slot.probe);
  flows_[flow_count_++] = {&packet, &slot};
  if (flow_count_ > kLead) [[likely]] {
    connections_.prefetch_entry(flows_[flow_count_ - 1 - kLead].slot->probe);
  }
}

inline void Pipeline::enter_client_flow(Packet& packet, Slot& slot) {
  const ParsedPacket& parsed = slot.parsed;
  slot.key.client.set_words(parsed.source.words());
  slot.key.vip.set_words(parsed.destination.words());
  slot.key.client_port = parsed.source_port;
  slot.key.vip_port = parsed.destination_port;
  slot.key.protocol = parsed.protocol;
  enter_flow(packet, slot);
}

}  // namespace ballast
