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
//   In NAT and FULLNAT the servers' packets pass here as well, and are found by another key
//   (ReturnKey): a burst may hold both kinds. They go to the client by a route that its connection
//   remembers, or on the client's own network to the MAC that its frames come from.
//
//   Packets that wait for a next hop's MAC (verdict kHold) stay in the pipeline until tick() gives
//   them back.
//
// This folder knows nothing of DPDK: tests run it on plain memory.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/api/lease_page.h"
#include "dataplane/connection/connection_table.h"
#include "dataplane/connection/fragment_table.h"
#include "dataplane/connection/local_ports.h"
#include "dataplane/neighbor/neighbor_table.h"
#include "dataplane/packet/parser.h"
#include "dataplane/pipeline/client_macs.h"
#include "dataplane/pipeline/counters.h"
#include "dataplane/pipeline/neighbor_requests.h"
#include "dataplane/pipeline/packet.h"
#include "dataplane/pipeline/punt.h"
#include "dataplane/pipeline/steering.h"
#include "dataplane/pipeline/token_bucket.h"
#include "dataplane/pipeline/waiting_room.h"
#include "dataplane/rewrite/icmp_error.h"
#include "dataplane/rewrite/rewrite_result.h"
#include "dataplane/service/forwarding_snapshot.h"

namespace ballast {

struct PipelineSettings {
  WorkerIndex worker{};
  ConnectionLimits connections;  // of this worker
  FlowHashKey flow_hash_key{};
  PuntLimits punt;
  uint32_t answers_per_second = 1000;  // resets and ICMP errors of this worker
  uint32_t max_pools = 131'072;
  LocalPortSettings local_ports;  // of this worker; used with connections.translations
  uint64_t local_port_seed = 0;   // drawn anew in every process
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

class ReturnKeys;

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
  // Null without translations.
  [[nodiscard]] const LocalPorts* local_ports() const { return ports_.get(); }

 private:
  enum class Side : uint8_t { kClient, kServer };
  // Whether the snapshot has NAT or FULLNAT, or connections of them are left. Without, all flows
  // are clients' and have no records: the stages are compiled for each case.
  enum class Replies : uint8_t { kNone, kSome };

  // One packet between the stages. Nearly all need the first two cache lines alone.
  struct alignas(64) Slot {
    ReturnKey key;  // of a server's packet; of a client's, its flow
    ConnectionProbe probe;
    // The VIP or local address that the packet is sent to; null: a reply in NAT, to the client.
    const LocalAddress* local = nullptr;
    ParsedPacket parsed;
    Side from = Side::kClient;

    [[nodiscard]] FlowKey& flow() { return key.tuple; }
    [[nodiscard]] const FlowKey& flow() const { return key.tuple; }
  };
  // Flows between asking memory for a bucket and reading it: as many as fill the time that memory
  // takes. 8 and 16 cost the same, 4 is too few (docs/performance.md).
  static constexpr size_t kLead = 8;
  // A packet that goes through the connection table.
  struct Flow {
    Packet* packet;
    Slot* slot;
  };

  // A VIP or local address that packets were let in for, or a server in NAT whose replies were; by
  // the way they came. Good as long as snapshot and leases are the same.
  struct Gate {
    IpAddress address;  // of the packets' destination; of a server's replies, their source
    const LocalAddress* local = nullptr;
    uint64_t epoch = 0;
    uint64_t frame_destination = 0;  // mac_word() of each
    uint64_t port_mac = 0;
    PortIndex port{};
  };
  static constexpr size_t kGates = 16;
  using Gates = std::array<Gate, kGates>;
  // A VIP whose replies were asked for: whether its lease lets them pass, likewise.
  struct VipOfReplies {
    IpAddress address;
    uint64_t epoch = 0;
    bool forwards = false;
  };
  [[nodiscard]] static size_t gate_of(const IpAddress& address) {
    return address.bytes()[15] % kGates;
  }

  // --- stages over the burst
  void look_around(const ForwardingSnapshot& snapshot, uint64_t now_ns);
  void decide(std::span<Packet> burst);
  template <Replies kReplies>
  void admit_all(std::span<Packet> burst);  // parse, classify, steer, begin the lookups
  template <Replies kReplies>
  void look_up_rest();  // of the last flows: match tags, ask for entries
  template <Replies kReplies>
  void look_closer(Slot& slot) const;
  template <Replies kReplies>
  void forward_all();  // connection, server, next hop, rewrite

  // --- admission (admission.h): plain packets by a way that is known to be open
  [[nodiscard]] bool is_open(const Gate& gate, const IpAddress& address,
                             const Packet& packet) const;
  [[nodiscard]] const LocalAddress* find_gate(const Packet& packet,
                                              const ParsedHeaders& parsed) const;
  [[nodiscard]] bool passes_reply_gate(const Packet& packet, const ParsedHeaders& parsed) const;
  template <Replies kReplies = Replies::kSome>
  void enter_transport(Packet& packet, Slot& slot);
  static void key_of_client(Slot& slot);
  static void key_of_reply(Slot& slot);
  template <Replies kReplies = Replies::kSome>
  void enter_flow(Packet& packet, Slot& slot);
  [[nodiscard]] WorkerIndex owner_of(const Packet& packet, const Slot& slot) const;
  [[nodiscard]] bool goes_by_client(const Slot& slot) const;
  void hand_over(Packet& packet, const Slot& slot, WorkerIndex owner, HandOver what_for);
  // former_owner.cc
  bool asks_another_owner(Packet& packet, const Slot& slot, const FlowKey& flow);
  template <Replies kReplies>
  void fetch_entry(Slot& slot);

  // --- fragments (fragments.cc): the ports of their datagram
  void enter_fragment(Packet& packet, Slot& slot);
  void admit_fragment(Packet& packet, Slot& slot);
  void release_fragments(const std::function<void(Packet&)>& release);

  // --- classify (classify.cc): whose packet is it
  void admit_any(Packet& packet, Slot& slot);
  void classify(Packet& packet, Slot& slot);
  void classify_arp(Packet& packet, Slot& slot);
  void classify_neighbor_discovery(Packet& packet, Slot& slot);
  const LocalAddress* asked_for_address(Packet& packet, const Slot& slot,
                                        const std::optional<IpAddress>& target);
  void classify_ip(Packet& packet, Slot& slot);
  void classify_for_local(Packet& packet, Slot& slot);
  void classify_transport(Packet& packet, Slot& slot);
  void classify_icmp_error(Packet& packet, Slot& slot);
  void classify_for_others(Packet& packet, Slot& slot);
  void enter_icmp_error_to_server(Packet& packet, Slot& slot);
  bool classify_nat_reply(Packet& packet, Slot& slot);
  void answer_ping(Packet& packet, const Slot& slot);
  void open_gate(Gates& gates, const IpAddress& address, const Packet& packet,
                 const LocalAddress* local);
  [[nodiscard]] bool reaches(const Packet& packet, const LocalAddress& local) const;
  [[nodiscard]] bool reaches_gateway(const Packet& packet) const;
  [[nodiscard]] bool forwards(const LocalAddress& local) const {
    return (leases_.forwarding >> static_cast<unsigned>(local.lease) & 1) != 0;
  }
  [[nodiscard]] bool answers(const LocalAddress& local) const {
    return (leases_.answering >> static_cast<unsigned>(local.lease) & 1) != 0;
  }
  // Whether this node holds the VIP now.
  [[nodiscard]] bool holds(const IpAddress& vip) const {
    const LocalAddress* local = snapshot_->addresses->find(vip);
    return local != nullptr && forwards(*local);
  }
  [[nodiscard]] MacAddress mac_of(const LocalAddress& local, PortIndex port) const {
    return local.virtual_mac.is_zero() ? snapshot_->ports[index(port)].mac : local.virtual_mac;
  }

  // --- forward (forward.cc): packets from clients
  template <Replies kReplies>
  void forward(Packet& packet, Slot& slot);
  [[nodiscard]] bool goes_on_as_it_is(const Connection& connection,
                                      const ParsedPacket& parsed) const;
  ServerIndex change(Packet& packet, Slot& slot, Connection*& connection);
  ServerIndex server_for_icmp_error(Packet& packet, Slot& slot, const Connection* connection);
  ServerIndex leave_server(Packet& packet, Slot& slot, Connection*& connection,
                           OnServerDown action);
  void track_client(const Packet& packet, const ParsedPacket& parsed, Connection& connection);
  void set_state(Connection& connection, ConnectionState state);
  void limit_segments(const Packet& packet, const ParsedPacket& parsed, ServerIndex server);
  [[nodiscard]] bool earns_trust(const Packet& packet, const ParsedPacket& parsed,
                                 const Connection& connection);
  void give_back_port(const Connection& connection);
  [[nodiscard]] const RealServer& server_of(const Connection& connection) const {
    return snapshot_->servers[index(connection.server)];
  }
  [[nodiscard]] uint32_t timeout_of(const Connection& connection) const;
  void on_connection_end(const Connection& connection, ConnectionEnd end);

  // --- open (open.cc): new connections
  ServerIndex open(Packet& packet, Slot& slot, Connection*& connection);
  ServerIndex choose_server(Packet& packet, const Slot& slot, const VirtualService& service);
  ServerIndex choose_another(const Slot& slot, const Pool& pool);
  Connection* remember(Packet& packet, Slot& slot, const VirtualService& service,
                       ServerIndex server);
  void enter(const Packet& packet, const ParsedPacket& parsed, Connection& connection,
             ServerIndex server);
  void count_opened(Connection& connection);
  void count_by_itself(const Packet& packet, const ParsedPacket& parsed, ServerIndex server);
  bool translate_connection(const Packet& packet, Connection& connection,
                            const LocalEndpoint& local);
  [[nodiscard]] bool is_reached_otherwise(const FlowKey& flow, ServerIndex server);
  [[nodiscard]] ServerIndex server_of_unknown_flow(const Slot& slot);
  ServerIndex server_for_fragment(Packet& packet, const Slot& slot);
  [[nodiscard]] const VirtualService* service_of(const FlowKey& flow) const;
  [[nodiscard]] ServerIndex pick(const Pool& pool, const FlowKey& flow) {
    return pool.scheduler->pick({flow, around_.loads, cursors_[index(pool.index)]});
  }

  // --- reply (reply.cc): packets from servers, in NAT and FULLNAT
  void forward_reply(Packet& packet, Slot& slot);
  [[nodiscard]] bool may_answer_for(const IpAddress& vip);
  void reply_of_unknown_flow(Packet& packet, Slot& slot);
  bool change_by_reply(Packet& packet, const Slot& slot, Connection& connection,
                       TranslationRecord& record);
  struct FlowOfReply {
    FlowKey flow;
    ServerIndex server{};
  };
  [[nodiscard]] std::optional<FlowOfReply> flow_of_reply(const Slot& slot);
  enum class Leads : uint8_t { kElsewhere, kPerhaps, kByHash };
  [[nodiscard]] Leads leads_to(const VirtualService& service, const Listener& listener,
                               ServerIndex server, const ParsedPacket& reply);
  Connection* rebuild(const Packet& packet, const Slot& slot, const FlowOfReply& found);
  void track_server(const Packet& packet, const ParsedPacket& parsed, Connection& connection,
                    TranslationRecord& record);
  void send_to_client(Packet& packet, Slot& slot, const FlowKey& flow, ServerIndex server,
                      TranslationRecord& record);
  RewriteResult rewrite_to_client(Packet& packet, Slot& slot, const FlowKey& flow,
                                  ServerIndex server, TranslationRecord& record);
  static void note_frame_source(const Packet& packet, TranslationRecord& record);
  void note_seen_by_client(const Packet& packet, Connection& connection);
  [[nodiscard]] bool may_be_clients(const MacAddress& mac, const IpAddress& client,
                                    PortIndex port) const;
  void note_seen_by_reply(Connection& connection) const;
  [[nodiscard]] ReturnKeys return_keys() const;
  bool find_way(Packet& packet, const FlowKey& flow, TranslationRecord& record);
  void pass_to_kernel_router(Packet& packet, const Slot& slot, DropReason otherwise);

  // --- send (forward.cc: the short way; send.cc): rewrite, next hop
  template <Replies kReplies>
  void send_to_server(Packet& packet, Slot& slot, ServerIndex server, Connection* connection);
  bool translate_flow(Packet& packet, Slot& slot, const RealServer& server, Connection* connection);
  void send_with_care(Packet& packet, Slot& slot, ServerIndex server, Connection* connection);
  bool rewrite_to_server(Packet& packet, Slot& slot, const RealServer& server,
                         Connection* connection);
  RewriteResult translate_to_server(Packet& packet, Slot& slot, const RealServer& server,
                                    Connection* connection);
  bool enter_tunnel(Packet& packet, Slot& slot, const RealServer& server);
  bool enter_tunnel_with_care(Packet& packet, Slot& slot, const TunnelHeader& header,
                              OuterFields& outer, PacketView& frame);
  bool fits(Packet& packet, const Slot& slot, uint16_t mtu);
  // False with the packet answered or dropped, as it came.
  bool was_rewritten(Packet& packet, const Slot& slot, RewriteResult result) {
    if (result == RewriteResult::kDone) [[likely]] {
      return true;
    }
    refuse_to_rewrite(packet, slot, result);
    return false;
  }
  void refuse_to_rewrite(Packet& packet, const Slot& slot, RewriteResult result);
  void send_by(Packet& packet, PortIndex out_port, NeighborIndex next_hop, const IpAddress& vip);
  void deliver(Packet& packet, const Neighbor& neighbor);

  // --- what ICMP errors may quote (icmp_window.cc)
  static void follow_client(const Packet& packet, const ParsedPacket& parsed,
                            Connection& connection);
  static void follow_server(const Packet& packet, const ParsedPacket& parsed,
                            TranslationRecord& record);
  [[nodiscard]] bool quotes_server_plausibly(const Packet& packet, const ParsedPacket& parsed,
                                             const Connection& connection) const;
  [[nodiscard]] static bool quotes_client_plausibly(const Packet& packet,
                                                    const ParsedPacket& parsed,
                                                    const Connection& connection);
  [[nodiscard]] static uint32_t in_doubt(const Connection& connection);

  // --- answer (answer.cc): what goes back the way it came
  void drop(Packet& packet, DropReason reason);
  void punt(Packet& packet, const ParsedPacket& parsed);
  void punt_routed(Packet& packet, const Slot& slot);
  // Drops the packet for `reason`, with a reset or port unreachable where `action`, the RFCs and
  // the rate limit allow.
  void refuse(Packet& packet, const Slot& slot, DropReason reason, RefuseAction action);
  [[nodiscard]] MacAddress source_of_refusal(const Slot& slot, PortIndex port) const;
  [[nodiscard]] IpAddress source_of_error(const Packet& packet, const Slot& slot) const;
  void refuse_too_big(Packet& packet, const Slot& slot, uint16_t mtu);
  void refuse_expired(Packet& packet, const Slot& slot);
  void answer_with_error(Packet& packet, const Slot& slot, IcmpErrorKind kind,
                         const IpAddress& source, uint16_t mtu = 0);
  void answer(Packet& packet, const FrameBuffer& frame);
  [[nodiscard]] bool may_answer(const Packet& packet, const Slot& slot);

  PipelineSurroundings around_;
  WorkerIndex worker_;
  ConnectionTable connections_;
  TranslationTable* translations_;     // of connections_; null without
  std::unique_ptr<LocalPorts> ports_;  // with translations_
  PuntLimiter punt_limiter_;
  TokenBucket answer_limit_;
  WaitingRoom waiting_;
  FragmentTable<Packet> fragments_;
  std::vector<SchedulerCursor> cursors_;  // by PoolIndex

  // Of the burst under way.
  const ForwardingSnapshot* snapshot_ = nullptr;
  uint64_t snapshot_serial_ = 0;
  Replies replies_ = Replies::kSome;
  uint64_t epoch_ = 0;  // counts changes of the snapshot and the leases
  uint64_t now_ns_ = 0;
  Seconds32 now_ = 0;
  LeaseMasks leases_;
  LeaseMasks decided_by_;  // all leases that this turn has gone by
  std::array<Slot, kMaxBurst> slots_;
  std::array<Flow, kMaxBurst> flows_;  // in order of arrival
  size_t flow_count_ = 0;
  Gates gates_{};
  Gates reply_gates_{};
  std::array<VipOfReplies, kGates> vips_of_replies_{};
  ClientMacs client_macs_;  // of those without connections
  // Of the last outer IPv4 header. Each worker counts in a lane of its own: two that send from one
  // source must not use the same at once, or fragments of two packets become one.
  uint16_t identification_;
};

}  // namespace ballast
