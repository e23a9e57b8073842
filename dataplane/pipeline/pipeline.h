// The way of a packet through one worker, on a batch: parse, classify, steer, look up, schedule,
// rewrite, next hop.
//
// Theory of operation
//   process() takes a burst and leaves a verdict in every packet; whoever called it sends, hands
//   over, punts or frees. The burst goes through the stages together, so that the memory of all its
//   connections is on its way while the first is worked on: admission parses packet n and asks for
//   its bucket, then reads the bucket of packet n - 8, which has arrived, and asks for its entry;
//   when forwarding begins, the entries are there. A Pipeline belongs to one worker:
//   nothing in it is shared, locked or allocated per packet. What it forwards by is the snapshot
//   that every call brings along; what it remembers is its connection table.
//
//   Where a service's scheduler hashes, so that a flow alone names its server, and its mode needs
//   to know no more of a connection than that (follows_from_flow()), a connection can be met in its
//   middle: after a move of the VIP, the new owner sends each segment where the former one sent it.
//   - A segment with ACK and neither SYN nor RST opens an entry, as a SYN does: untrusted until the
//     client goes on. A FIN opens one that is closing.
//   - A RST of an unknown connection, and an ICMP error about one, are forwarded without an entry:
//     the server must hear that its client is gone, or that its packets are too big.
//   - A SYN with ACK, or a segment without ACK, is of no connection that a client could have.
//   - Where the table has no room, packets are forwarded without an entry, and counted.
//   With any other scheduler, all of these are refused.
//
//   Packets that wait for a next hop's MAC (verdict kHold) stay in the pipeline until tick() gives
//   them back.
//
// This folder knows nothing of DPDK: tests run it on plain memory.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/api/lease_page.h"
#include "dataplane/connection/connection_table.h"
#include "dataplane/neighbor/neighbor_table.h"
#include "dataplane/packet/parser.h"
#include "dataplane/pipeline/counters.h"
#include "dataplane/pipeline/neighbor_requests.h"
#include "dataplane/pipeline/packet.h"
#include "dataplane/pipeline/punt.h"
#include "dataplane/pipeline/steering.h"
#include "dataplane/pipeline/token_bucket.h"
#include "dataplane/pipeline/waiting_room.h"
#include "dataplane/service/forwarding_snapshot.h"

namespace ballast {

struct PipelineSettings {
  WorkerIndex worker{};
  ConnectionLimits connections;  // of this worker
  FlowHashKey flow_hash_key{};
  PuntLimits punt;
  uint32_t answers_per_second = 1000;  // resets and ICMP errors of this worker
  uint32_t max_pools = 131'072;
};

// What a pipeline borrows; all of it outlives the pipeline.
struct PipelineSurroundings {
  const Steering& steering;
  const NeighborTable& neighbors;
  const LeasePage& leases;
  const ServerLoads& loads;     // over all workers
  ServerCounterTable& servers;  // this worker's
  WorkerCounters& counters;     // this worker's
  NeighborRequests& requests;   // this worker's
  TableMemory& memory;
};

class Pipeline {
 public:
  static constexpr size_t kMaxBurst = ConnectionTable::kMaxBurst;

  Pipeline(const PipelineSettings& settings, const PipelineSurroundings& surroundings);

  // What everything below forwards by and what time it is, to be said anew in every turn of the
  // worker's loop: between two turns the worker holds no snapshot.
  void begin(const ForwardingSnapshot& snapshot, uint64_t now_ns);

  // Whether a lease that this turn decides by has ended since it began: whoever was kept from
  // running meanwhile must not let go of what it decided.
  [[nodiscard]] bool has_lost_a_lease(uint64_t now_ns) const;

  // Decides every packet of the burst (at most kMaxBurst). `now_ns` is CLOCK_MONOTONIC.
  void process(std::span<Packet> burst, const ForwardingSnapshot& snapshot, uint64_t now_ns);

  // Housekeeping, to be called at least every few milliseconds: expiry, and packets that waited,
  // each with its new verdict, to `release`.
  void tick(const ForwardingSnapshot& snapshot, uint64_t now_ns,
            const std::function<void(Packet&)>& release);

  // The packets that still wait, at the end of the program.
  void drain(const std::function<void(Packet&)>& release);

  [[nodiscard]] const ConnectionTable& connections() const { return connections_; }

 private:
  // One packet between the stages.
  struct Slot {
    ParsedPacket parsed;
    FlowKey key;
    ConnectionTable::Probe probe;
    const LocalAddress* vip = nullptr;
  };
  // Flows between asking memory for a bucket and reading it: as many as fill the time that memory
  // takes. 8 and 16 cost the same, 4 is too few (docs/performance.md).
  static constexpr size_t kLead = 8;
  // A packet that goes through the connection table.
  struct Flow {
    Packet* packet;
    Slot* slot;
  };

  // A VIP that packets of this burst were let in for, by the way they came.
  struct Gate {
    IpAddress address;
    const LocalAddress* vip = nullptr;
    uint64_t burst = 0;
    MacAddress frame_destination;
    MacAddress port_mac;
    PortIndex port{};
  };
  static constexpr size_t kGates = 16;
  [[nodiscard]] static size_t gate_of(const IpAddress& vip) { return vip.bytes()[15] % kGates; }

  // --- stages over the burst
  void look_around(const ForwardingSnapshot& snapshot, uint64_t now_ns);
  void admit_all(std::span<Packet> burst);  // parse, classify, steer, begin the lookups
  void look_up_rest();                      // of the last flows: match tags, ask for entries
  void look_closer(Slot& slot) const;
  void forward_all();  // connection, server, next hop, rewrite

  // --- admission (admission.h): plain packets for a VIP that is known to be open
  [[nodiscard]] const LocalAddress* find_gate(const Packet& packet,
                                              const ParsedHeaders& parsed) const;
  void enter_client_flow(Packet& packet, Slot& slot);
  void enter_flow(Packet& packet, Slot& slot);

  // --- classify (classify.cc): whose packet is it
  void admit_any(Packet& packet, Slot& slot);
  void classify(Packet& packet, Slot& slot);
  void classify_arp(Packet& packet, Slot& slot);
  void classify_neighbor_discovery(Packet& packet, Slot& slot);
  const LocalAddress* asked_for_vip(Packet& packet, const Slot& slot,
                                    const std::optional<IpAddress>& target);
  void classify_ip(Packet& packet, Slot& slot);
  void classify_for_vip(Packet& packet, Slot& slot);
  void open_gate(const Packet& packet, const LocalAddress& vip);
  [[nodiscard]] bool reaches(const Packet& packet, const LocalAddress& vip) const;
  [[nodiscard]] bool forwards(const LocalAddress& vip) const {
    return (leases_.forwarding >> static_cast<unsigned>(vip.lease) & 1) != 0;
  }
  [[nodiscard]] bool answers(const LocalAddress& vip) const {
    return (leases_.answering >> static_cast<unsigned>(vip.lease) & 1) != 0;
  }
  [[nodiscard]] MacAddress mac_of(const LocalAddress& vip, PortIndex port) const {
    return vip.virtual_mac.is_zero() ? snapshot_->ports[index(port)].mac : vip.virtual_mac;
  }

  // --- forward (forward.cc): flows
  void forward(Packet& packet, Slot& slot);
  [[nodiscard]] bool goes_on_as_it_is(const Connection& connection,
                                      const ParsedPacket& parsed) const;
  ServerIndex change(Packet& packet, Slot& slot, Connection* connection);
  ServerIndex open(Packet& packet, Slot& slot);
  void enter(const Packet& packet, const ParsedPacket& parsed, Connection& connection,
             ServerIndex server);
  [[nodiscard]] ServerIndex server_of_unknown_flow(const Slot& slot);
  [[nodiscard]] const VirtualService* service_of(const FlowKey& flow) const;
  [[nodiscard]] ServerIndex pick(const Pool& pool, const FlowKey& flow) {
    return pool.scheduler->pick({flow, around_.loads, cursors_[index(pool.index)]});
  }
  ServerIndex leave_server(Packet& packet, Slot& slot, Connection& connection, OnServerDown action);
  void track_tcp(const Packet& packet, const ParsedPacket& parsed, Connection& connection);
  void set_state(Connection& connection, ConnectionState state);
  void send_to_server(Packet& packet, const Slot& slot, ServerIndex server);
  void send_with_care(Packet& packet, const Slot& slot, ServerIndex server);
  void deliver(Packet& packet, const Neighbor& neighbor);
  [[nodiscard]] const RealServer& server_of(const Connection& connection) const {
    return snapshot_->servers[index(connection.server)];
  }
  [[nodiscard]] uint32_t timeout_of(const Connection& connection) const;
  void on_connection_end(const Connection& connection, ConnectionEnd end);

  // --- answer (answer.cc): what goes back the way it came
  void drop(Packet& packet, DropReason reason);
  void punt(Packet& packet, const ParsedPacket& parsed);
  // Drops the packet for `reason`, with a reset or port unreachable where `action`, the RFCs and
  // the rate limit allow.
  void refuse(Packet& packet, const Slot& slot, DropReason reason, RefuseAction action);
  [[nodiscard]] MacAddress source_of_refusal(const LocalAddress& vip, PortIndex port) const;
  void refuse_too_big(Packet& packet, const Slot& slot, uint16_t mtu);
  void answer(Packet& packet, const FrameBuffer& frame);
  [[nodiscard]] bool may_answer(const Packet& packet, const Slot& slot);

  PipelineSurroundings around_;
  WorkerIndex worker_;
  ConnectionTable connections_;
  PuntLimiter punt_limiter_;
  TokenBucket answer_limit_;
  WaitingRoom waiting_;
  std::vector<SchedulerCursor> cursors_;  // by PoolIndex

  // Of the burst under way.
  const ForwardingSnapshot* snapshot_ = nullptr;
  uint64_t burst_ = 0;  // bursts (and ticks), counted
  uint64_t now_ns_ = 0;
  Seconds32 now_ = 0;
  LeaseMasks leases_;
  LeaseMasks decided_by_;  // all leases that this turn has gone by
  std::array<Slot, kMaxBurst> slots_;
  std::array<Flow, kMaxBurst> flows_;  // in order of arrival
  size_t flow_count_ = 0;
  std::array<Gate, kGates> gates_{};
};

}  // namespace ballast
