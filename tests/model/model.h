// The reference model of the dataplane: what must become of every packet.
//
// Theory of operation
//   The model reads the Setup as an operator would, dissects each packet by itself (dissect.h),
//   keeps connections in std::map, and writes what must come out with full checksums (rewrites.h).
//   It is slow, has no workers, no bursts, no hashes and no caches: whatever those do in the
//   dataplane must not be seen.
//
//   What the specification leaves free, the model learns from what came out, and checks that it is
//   legal:
//     - the server that a scheduler picks: one that is configured and usable; a hashing scheduler's
//       choice is the same for a flow as long as its servers are;
//     - FULLNAT's local port: an address of the service, a port of the range, a tuple that no other
//       connection has and that has rested;
//     - TUN: the outer source within its range, GUE's source port within 49152-65535, the flow
//       label not 0; all the same for one flow; the identification of an outer header that may be
//       fragmented.
//   All else it predicts byte for byte. Limits are stayed below: tables that are full, rate limits
//   and waiting rooms are not modelled.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/model/dissect.h"
#include "tests/model/fate.h"
#include "tests/model/rewrites.h"
#include "tests/model/setup.h"
#include "tests/model/tcp_states.h"

namespace ballast::model {

// As the client sees it.
struct Flow {
  IpAddress client;
  uint16_t client_port = 0;
  IpAddress vip;
  uint16_t vip_port = 0;
  uint8_t protocol = 6;

  [[nodiscard]] Family family() const { return vip.family(); }
  friend auto operator<=>(const Flow&, const Flow&) = default;
};
[[nodiscard]] std::string to_string(const Flow& flow);

// What a server is the same by.
struct ServerId {
  std::string service;
  IpAddress address;
  uint16_t port = 0;
  Mode mode = Mode::kDr;

  friend auto operator<=>(const ServerId&, const ServerId&) = default;
};

// What the dataplane says that it has chosen, where no packet shows it.
struct Choice {
  IpAddress server;
  uint16_t server_port = 0;
  std::optional<End16> local;
};

struct LocalPortRange {
  uint16_t first = 1024;
  uint16_t last = 65535;
  uint32_t time_wait = 60;
  uint32_t short_rest = 1;
};

// One packet to be judged.
struct Incoming {
  uint64_t id = 0;
  Bytes frame;
  PortIndex port{};
};

class Model {
 public:
  using Peek = std::function<std::optional<Choice>(const Flow&)>;

  // Whether the dataplane still takes packets from there for a NAT server's.
  using Remembered = std::function<bool(const IpAddress&)>;

  Model(const Setup& setup, const LocalPortRange& local_ports, Peek peek, Remembered remembered);

  void configure(const Setup& setup);
  void set_lease(uint8_t slot, bool forwards, bool answers);
  // Time goes on, and connections end; at most a second at a time.
  void tick(uint64_t now_ns);

  // Empty, or what is wrong with what became of the packet at this time.
  std::string judge(const Incoming& packet, const Fate& actual, uint16_t worker, uint64_t now_ns);
  // Of one that was held, at the last tick.
  std::string judge_released(uint64_t id, const Fate& actual, uint16_t worker);
  // After the last tick, when all that it released has been judged: fragments whose first has come
  // are held no longer, but for a MAC.
  std::string settle();

  // --- for whoever makes up packets: what is known of a flow
  struct FlowServer {
    ServerId server;
    uint16_t server_port = 0;  // where it listens for this flow
    std::optional<End16> local;
  };
  [[nodiscard]] std::optional<FlowServer> known(const Flow& flow) const;
  [[nodiscard]] const Setup& setup() const { return setup_; }
  [[nodiscard]] size_t connections() const { return connections_.size(); }
  [[nodiscard]] size_t held() const { return held_.size(); }

 private:
  // What came out of a TUN service for a flow, to be the same for each packet of it.
  struct TunnelMarks {
    IpAddress source;
    uint16_t source_port = 0;
    uint32_t label = 0;
    friend bool operator==(const TunnelMarks&, const TunnelMarks&) = default;
  };
  struct Connection {
    Flow flow;
    ServerId server;
    std::optional<End16> local;
    State state = State::kNone;
    bool trusted = false;
    uint32_t next_sequence = 0;         // of the client
    uint32_t server_next_sequence = 0;  // if server_seen
    bool server_seen = false;
    bool server_acknowledged = false;
    bool server_fin = false;
    bool server_reset = false;
    uint64_t last_seen = 0;  // seconds
    uint64_t look_at = 0;    // when its end is looked at next
    std::optional<MacAddress> client_mac;
    std::optional<MacAddress> former_client_mac;  // good until the new one is noted
    uint64_t client_mac_since = 0;
    PortIndex client_port{};
    std::optional<uint16_t> worker;
  };
  // The tuple by which a server's packets are known: server, peer.
  struct Return {
    End16 server;
    End16 peer;
    uint8_t protocol = 6;
    friend auto operator<=>(const Return&, const Return&) = default;
  };

  struct Prediction {
    Fate fate;
    std::vector<size_t> either_zero;
    std::vector<size_t> unknown;    // places of bytes that are not predicted
    std::optional<Setup::Hop> hop;  // kHeld: where it will go
    std::optional<IpAddress> vip;   // that it is to or from
    // Of a tunnel: what it becomes, with all that is free read from what came out.
    std::function<Written(const Fate&)> wrapped;
  };
  // The ends of a packet's flow. A later fragment has those of the first.
  struct Ports {
    uint16_t source = 0;
    uint16_t destination = 0;
    uint8_t protocol = 0;
  };
  // Source, destination, identification; in IPv4 the protocol, too.
  using DatagramKey = std::tuple<IpAddress, IpAddress, uint32_t, uint8_t>;
  struct Datagram {
    uint64_t begun_ms = 0;
    uint64_t latest_ms = 0;
    std::map<size_t, size_t> ranges;  // begin -> end of what was seen
    std::optional<size_t> total;
    std::optional<Ports> ports;
    std::vector<uint64_t> waiting;  // by id
  };
  struct Held {
    Prediction prediction;
    // A fragment that waits for the first of its datagram:
    std::optional<Incoming> fragment;
    DatagramKey datagram;
    uint64_t since_ms = 0;
    std::optional<Ports> ports;  // the first has come
    uint16_t worker = 0;
  };
  // The packet under judgement.
  struct Case {
    const Incoming& packet;
    const Fate& actual;
    Dissection seen;
    uint16_t worker = 0;
    std::optional<Ports> ports;  // of a fragment, where they are known already
  };

  // --- model.cc: whose packet is it
  Prediction expect(const Case& c);
  Prediction expect_arp(const Case& c);
  Prediction expect_solicitation(const Case& c);
  Prediction expect_ip(const Case& c);
  Prediction expect_for_ours(const Case& c, const AddressSetup& ours);
  Prediction expect_error(const Case& c, const AddressSetup& ours);
  Prediction expect_transport(const Case& c, const AddressSetup* ours);
  Prediction expect_for_others(const Case& c);
  std::optional<Prediction> refuse_question(const Case& c, const std::optional<IpAddress>& target);

  // --- model_fragments.cc
  [[nodiscard]] static DatagramKey datagram_of(const Dissection& fragment);
  static bool may_have_ports(const Dissection& seen);
  Prediction expect_fragment(const Case& c, const AddressSetup* ours);
  void forget_waiting(const Held& held, uint64_t id);
  std::string judge_released_fragment(const Held& held, uint64_t id, const Fate& actual,
                                      uint16_t worker);

  // --- model_client.cc
  Prediction from_client(const Case& c, const AddressSetup& vip, const Flow& flow);
  Prediction open(const Case& c, const AddressSetup& vip, const Flow& flow);
  Prediction error_from_client(const Case& c, const AddressSetup& vip, const Flow& flow);
  Prediction choose(const Case& c, const AddressSetup& vip, const Flow& flow,
                    const ServiceSetup& service, bool remembered,
                    std::optional<Connection>& opened);
  void track_client(const Case& c, Connection& connection);
  void note_client(const Case& c, Connection& connection);
  Prediction to_server(const Case& c, const AddressSetup& vip, const Flow& flow,
                       const ServerId& server, const std::optional<End16>& local);
  Prediction change_and_send(const Case& c, const AddressSetup& vip, const Flow& flow,
                             const ServerId& server, const std::optional<End16>& local);
  Prediction into_tunnel(const Case& c, const AddressSetup& vip, const Flow& flow,
                         const ServerId& server, const Setup::Hop& hop);
  Written wrapped(const Incoming& packet, const Dissection& seen, const Flow& flow,
                  const ServerId& server, const IpAddress& own, const Fate& actual);
  [[nodiscard]] uint16_t mss_of(const ServerId& server, const Setup::Hop& hop, Family family) const;
  [[nodiscard]] std::string note_marks(const Flow& flow, const Outer& outer);
  [[nodiscard]] std::string illegal_local(const End16& local, const ServerId& server,
                                          const Flow& flow) const;

  // --- model_reply.cc
  Prediction from_server(const Case& c, const AddressSetup* local, const Return& key);
  Prediction unknown_reply(const Case& c, const AddressSetup* local);
  Prediction to_client(const Case& c, const AddressSetup* local, const Flow& flow,
                       const ServerId& server, Connection* connection);
  Prediction otherwise_routed(const Case& c, DropReason reason);
  std::optional<std::pair<Flow, ServerId>> flow_of_reply(const Case& c);

  // --- model_out.cc
  [[nodiscard]] Prediction dropped(DropReason reason) const;
  [[nodiscard]] Prediction answered(const Case& c, DropReason reason, Bytes frame) const;
  [[nodiscard]] Prediction to_kernel(const Case& c) const;
  Prediction refuse(const Case& c, const IpAddress& from, DropReason reason, bool answers) const;
  Prediction too_big(const Case& c, const AddressSetup* ours, uint16_t mtu) const;
  Prediction expired(const Case& c, const AddressSetup* ours) const;
  [[nodiscard]] Prediction error(const Case& c, const AddressSetup* ours, DropReason reason,
                                 uint8_t type, uint8_t code, uint16_t mtu) const;
  [[nodiscard]] MacAddress answering_mac(const Case& c) const;
  Prediction send(const Case& c, Written written, const Setup::Hop& hop, uint16_t fragment_mtu);
  Prediction deliver(Prediction prediction, const Setup::Hop& hop, bool waited) const;
  [[nodiscard]] bool is_ours(const IpAddress& address) const;
  [[nodiscard]] bool is_our_mac(const MacAddress& mac) const;
  [[nodiscard]] std::string compare(const Prediction& expected, const Fate& actual) const;

  // --- state
  [[nodiscard]] bool forwards(const AddressSetup& address) const;
  [[nodiscard]] bool answers(const AddressSetup& address) const;
  [[nodiscard]] MacAddress mac_of(const AddressSetup& address, PortIndex port) const;
  [[nodiscard]] const MacAddress& port_mac(PortIndex port) const {
    return setup_.ports[index(port)].mac;
  }
  [[nodiscard]] bool reaches(const Case& c, const AddressSetup& address) const;
  [[nodiscard]] bool reaches_gateway(const Case& c) const;
  [[nodiscard]] uint64_t milliseconds() const { return now_ns_ / 1'000'000; }
  [[nodiscard]] uint64_t seconds() const { return now_ns_ / 1'000'000'000; }
  // As it was configured last.
  [[nodiscard]] const ServiceSetup& service_of(const ServerId& server) const {
    return services_.at(server.service);
  }
  [[nodiscard]] bool accepts(const ServerId& server) const;
  [[nodiscard]] std::vector<ServerId> usable(const ServiceSetup& service, Family family) const;
  [[nodiscard]] static uint16_t port_of(const ServerId& server, const Flow& flow) {
    return server.port != 0 ? server.port : flow.vip_port;
  }
  // Those that a scheduler chooses from, in words.
  [[nodiscard]] static std::string pool_of(const ServiceSetup& service, Family family);
  [[nodiscard]] Return return_of(const Connection& connection) const;
  [[nodiscard]] uint32_t timeout_of(const Connection& connection) const;
  void arm(Connection& connection);
  void set_state(Connection& connection, State state);
  // The end of the latest segment of one half.
  static void advance(uint32_t& end, const Dissection& segment);
  Connection* find(const Flow& flow);
  void add(const Connection& connection);
  void remove(const Flow& flow);
  [[nodiscard]] std::string note_worker(const Flow& flow, uint16_t worker);

  Setup setup_;
  const LocalPortRange local_ports_;
  const Peek peek_;
  const Remembered remembered_;
  std::map<std::string, ServiceSetup> services_;     // all there ever were, as they were last
  std::map<uint8_t, std::pair<bool, bool>> leases_;  // forwards, answers
  std::map<Flow, Connection> connections_;
  std::map<Return, Flow> returns_;
  std::map<std::pair<Flow, Family>, TunnelMarks> marks_;  // by family of the outer header
  struct Resting {
    uint64_t since = 0;
    bool long_rest = false;
  };
  std::map<Return, Resting> resting_;  // FULLNAT tuples that were given back
  // What a hashing scheduler has chosen for a flow, by service and the servers it chose from.
  std::map<std::pair<std::string, Flow>, std::pair<std::string, ServerId>> hashed_;
  std::map<uint64_t, Held> held_;
  std::map<DatagramKey, Datagram> datagrams_;
  std::map<std::pair<IpAddress, PortIndex>, std::set<MacAddress>> client_macs_;
  uint16_t clamped_to_ = 0;  // the MSS that a SYN under judgement may have been given already
  std::string illegal_;      // what was found while the packet under judgement was predicted
  uint64_t now_ns_ = 0;
};

}  // namespace ballast::model
