// A small network around pipelines that run on plain memory:
//
//   client 198.51.100.7, 2001:db8:1::7 -- port 0 [ balancer ] port 1 -- servers 1, 2, 3
//
//   VIPs      192.0.2.10, 2001:db8::10   without VRRP (lease slot 0), answered with the port's MAC
//             192.0.2.20, 2001:db8::20   lease slot 1, with a virtual MAC
//   services  web tcp/80 (rr), dns udp/53 (rr), api tcp/8080 (wrr, weights 5, 1, 1), shop tcp/443
//             and game udp/443 (mh, weights 3, 2, 1), on every VIP
//   servers   10.0.0.11-13 and 2001:db8:a::11-13, of every service; server n has MAC 02:..:a<n>
//   node      203.0.113.2, 2001:db8:f::2
//
// With Options::all_modes there is what the other modes need, too (test_modes.h).
//
// A test sends frames in and looks at what becomes of each; the network keeps the time, and the
// books: every packet must end with exactly one verdict, and every drop in exactly one counter.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/api/lease_page.h"
#include "dataplane/pipeline/pipeline.h"
#include "tests/unit/packet_builder.h"

namespace ballast::testing {

inline constexpr PortIndex kWan{0};
inline constexpr PortIndex kLan{1};
inline constexpr std::string_view kLanMac = "02:00:00:00:00:2b";
inline constexpr std::string_view kVirtualMac = "00:00:5e:00:01:33";
inline constexpr uint64_t kSecond = 1'000'000'000;
inline constexpr uint64_t kMillisecond = 1'000'000;

// The same conversation in both families.
struct Family4or6 {
  std::string name;
  std::string client;
  std::string vip;         // without VRRP
  std::string leased_vip;  // of lease slot 1
  std::string router;
  std::string node;
  std::string server_prefix;  // of the server's address, its number follows
  // --- with all_modes
  std::string wan;  // the node's own on each port
  std::string lan;
  std::string gateway;  // of the servers, without VRRP
  std::string leased_gateway;
  std::string far_client;           // behind the router
  std::vector<std::string> locals;  // of FULLNAT; the third is of lease slot 1, and no service's
  [[nodiscard]] bool is_v4() const { return name == "ipv4"; }
};
void PrintTo(const Family4or6& family, std::ostream* out);
const std::vector<Family4or6>& both_families();

// What became of a packet.
struct Outcome {
  Verdict verdict = Verdict::kDrop;
  DropReason reason = DropReason::kNone;
  Frame frame;  // as it would leave
  PortIndex out_port{};
  WorkerIndex owner{};
  uint16_t worker = 0;  // that decided it
  HandOver hand_over_for = HandOver::kNone;
  uint16_t fragment_mtu = 0;
  uint16_t grown = 0;
  Big16 datagram_source_port;
  Big16 datagram_destination_port;
  IpProtocol datagram_protocol{};

  // The number of the server that it goes to; 0: to none.
  [[nodiscard]] int server() const;
};
void PrintTo(const Outcome& outcome, std::ostream* out);

class TestNetwork : public ServerLoads {
 public:
  struct Options {
    uint16_t workers = 1;
    ConnectionLimits connections{.trusted = 1000, .untrusted = 500, .translations = true};
    PuntLimits punt;
    uint32_t answers_per_second = 1000;
    uint64_t flow_hash_seed = 1;  // a secret of each process
    LocalPortSettings local_ports{.tuples = 10'000, .lanes = 64};
    // The order in which servers were configured: their indexes follow from it.
    std::vector<int> configured{1, 2, 3};
    bool all_modes = false;
  };
  explicit TestNetwork(Options options);
  TestNetwork() : TestNetwork(Options{}) {}
  ~TestNetwork() override;
  TestNetwork(const TestNetwork&) = delete;
  TestNetwork& operator=(const TestNetwork&) = delete;

  struct How {
    PortIndex port = kWan;
    uint16_t worker = 0;
    HandOver handed_over = HandOver::kNone;
    bool rss = false;                 // the NIC has hashed it, as a NIC does
    size_t first_segment = SIZE_MAX;  // of a chained frame
    uint16_t headroom = 128;
    Big16 datagram_source_port{};  // as they were handed over
    Big16 datagram_destination_port{};
    IpProtocol datagram_protocol{};
  };
  Outcome send(const Frame& frame, How how);
  Outcome send(const Frame& frame) { return send(frame, How{}); }
  Outcome send(const PacketBuilder& builder) { return send(builder.build()); }
  std::vector<Outcome> send_burst(const std::vector<Frame>& frames, How how);
  std::vector<Outcome> send_burst(const std::vector<Frame>& frames) {
    return send_burst(frames, How{});
  }
  // To where it comes in, and on to its owner: by way of the worker that knows its datagram, if it
  // is a fragment.
  Outcome send_to_owner(const Frame& frame, How how);

  // Time goes on, in steps of at most a second, with a tick of every worker after each; what
  // waited and left comes back.
  std::vector<Outcome> pass(uint64_t nanoseconds);
  // The end of the program: all that waited comes back.
  std::vector<Outcome> drain();
  [[nodiscard]] uint64_t now() const { return now_ns_; }

  // ---- what a test may change between two packets
  ForwardingSnapshot snapshot;
  LeasePage leases{};
  VirtualService& service(std::string_view name) { return *services_.at(std::string(name)); }
  // Of a service, by the server's number, one of each family.
  std::vector<ServerIndex> servers_of(std::string_view service, int number) const;
  // The scheduler gets only those servers of both families that are named here; the others are
  // down.
  void use_servers(std::string_view service, const std::vector<int>& numbers);
  void set_neighbor(int server, NeighborState state);
  void set_neighbor(int server, const Neighbor& neighbor);
  void set_neighbor(NeighborIndex hop, const Neighbor& neighbor) { neighbors_.set(hop, neighbor); }
  void set_lease(uint64_t until_ns) { set_lease(until_ns, until_ns); }
  void set_lease(uint64_t forward_until_ns, uint64_t answer_until_ns) {
    leases.forward_until_ns[1].store(forward_until_ns);
    leases.answer_until_ns[1].store(answer_until_ns);
  }
  void add_address(const LocalAddress& address);
  // Replaces the address of the same bytes.
  void change_address(const LocalAddress& address);
  struct ServiceSettings {
    std::string name;
    ForwardingMode mode = ForwardingMode::kDirectRouting;
    IpProtocol protocol = IpProtocol::kTcp;
    uint16_t port = 0;
    uint16_t server_port = 0;
    std::string scheduler = "rr";
    std::vector<uint32_t> weights{1, 1, 1};
    Encapsulation encapsulation = Encapsulation::kIpIp;
  };
  void add_service(const ServiceSettings& settings);
  // As when a service changes its mode: another one listens where `former` did, whose servers take
  // nothing new, and keep what they have as its on_server_down says.
  void replace_service(std::string_view former, const ServiceSettings& settings);
  // Of a TUN service: servers of this family alone, for clients of both.
  void use_tunnels(std::string_view service, const std::vector<int>& numbers, Family family);
  // On-link without a gateway. Raises hop_generation, as the world does.
  void set_route(std::string_view prefix, PortIndex port, std::string_view gateway = {});
  void remove_route(std::string_view prefix);
  NeighborIndex add_client_hop(PortIndex port, std::string_view address, const Neighbor& neighbor,
                               bool is_gateway = false);
  RealServer& server(ServerIndex server) { return snapshot.servers[index(server)]; }
  // The service's servers with this number, or all, of both families.
  template <typename Change>
  void change_servers(std::string_view service, Change change) {
    for (int number = 1; number <= 3; ++number) {
      for (const ServerIndex each : servers_of(service, number)) {
        change(server(each));
      }
    }
  }

  // ---- what can be seen
  [[nodiscard]] uint64_t drops(DropReason reason) const;
  [[nodiscard]] const WorkerCounters& counters(uint16_t worker = 0) const {
    return workers_[worker]->counters;
  }
  [[nodiscard]] const ServerCounters& server_counters(ServerIndex server,
                                                      uint16_t worker = 0) const {
    return workers_[worker]->servers[server];
  }
  [[nodiscard]] const ConnectionTable& connections(uint16_t worker = 0) const {
    return workers_[worker]->pipeline->connections();
  }
  // The one connection of this flow; null when there is none.
  [[nodiscard]] const Connection* connection(const FlowKey& flow, uint16_t worker = 0) const;
  bool take_request(NeighborIndex& neighbor);
  bool take_request(NeighborRequest& request);
  [[nodiscard]] const LocalPorts& local_ports(uint16_t worker = 0) const {
    return *workers_[worker]->pipeline->local_ports();
  }
  [[nodiscard]] NeighborIndex neighbor_of(int server, bool v4) const;
  [[nodiscard]] const Steering& steering() const { return steering_; }
  // Empty, or what does not add up.
  [[nodiscard]] std::string wrong_accounts() const;

  [[nodiscard]] uint32_t active_connections(ServerIndex server) const override;
  [[nodiscard]] uint32_t inactive_connections(ServerIndex server) const override;

 private:
  static constexpr uint32_t kNeighbors = 64;
  struct Worker {
    Worker(uint32_t servers_capacity, const FlowHashKey& hash_key)
        : servers(servers_capacity), requests(kNeighbors, hash_key) {}
    WorkerCounters counters;
    ServerCounterTable servers;
    NeighborRequests requests;
    std::unique_ptr<Pipeline> pipeline;
  };
  struct Held {
    Bytes buffer;  // headroom, first segment, tailroom
    Bytes rest;    // further segments
  };
  // What came back from the pipelines, by what became of it.
  struct Tally {
    uint64_t packets = 0;
    std::map<Verdict, uint64_t> by_verdict;
    std::map<DropReason, uint64_t> by_reason;
  };

  void add_modes();  // test_modes.cc
  void add_server(const ServiceSettings& settings, const VirtualService& service,
                  const Family4or6& family, int number);
  void publish_addresses();
  void set_usable(std::string_view service, const std::function<bool(ServerIndex, int)>& usable);
  [[nodiscard]] SchedulableServer schedulable(std::string_view service, int number,
                                              ServerIndex server) const;
  Packet packet_of(const Frame& frame, const How& how);
  Outcome look_at(const Packet& packet);
  [[nodiscard]] uint32_t hash_of_nic(const Frame& frame, bool& hashed) const;

  NeighborTable neighbors_{kNeighbors};
  Steering steering_;
  std::vector<int> configured_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::map<std::string, std::shared_ptr<VirtualService>> services_;
  std::map<std::string, std::vector<uint32_t>> weights_;
  std::map<std::string, std::string> schedulers_;
  std::vector<ServiceTable::Entry> listeners_;
  std::vector<LocalAddress> addresses_;
  std::vector<std::pair<IpAddress, ServerIndex>> reply_sources_;
  std::vector<ClientHops::Hop> client_hops_;
  std::list<Held> held_;
  Tally tally_;
  uint64_t now_ns_ = 1000 * kSecond;
};

// "ipv4", "ipv6": a test for each.
class InBothFamilies : public ::testing::TestWithParam<Family4or6> {
 protected:
  const Family4or6& family = GetParam();
  TestNetwork network;

  [[nodiscard]] PacketBuilder from_client() const { return packet().ip(family.client, family.vip); }
  // The client's segment, by flags; its SYN has sequence number 1000.
  [[nodiscard]] PacketBuilder segment(uint16_t client_port, uint8_t flags,
                                      uint16_t vip_port = 80) const {
    return from_client().tcp(client_port, vip_port, flags).sequence((flags & kSyn) ? 1000 : 1001);
  }
  [[nodiscard]] FlowKey flow(uint16_t client_port, uint16_t vip_port = 80,
                             IpProtocol protocol = IpProtocol::kTcp) const {
    return {ip_address(family.client), ip_address(family.vip), Big16::from_host(client_port),
            Big16::from_host(vip_port), protocol};
  }
};

#define BALLAST_IN_BOTH_FAMILIES(suite)                                           \
  INSTANTIATE_TEST_SUITE_P(Families, suite, ::testing::ValuesIn(both_families()), \
                           [](const auto& instance) { return instance.param.name; })

}  // namespace ballast::testing
