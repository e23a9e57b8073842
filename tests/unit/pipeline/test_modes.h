// What a TestNetwork has with Options::all_modes, on every VIP:
//
//   - nat-web, nat-dns: tcp 8000, udp 8053, to the servers' ports 9000, 9053; rr
//   - nat-any, nat-any-udp: tcp 8001, udp 8002, to the same port; rr
//   - nat-shop, nat-game: tcp 8443, udp 8443, to 9443, 9444; mh, weights 3, 2, 1
//   - full-web, full-dns: tcp 7000, udp 7053, to 9000, 9053; rr
//   - full-any, full-any-udp: tcp 7001, udp 7002, to the same port; rr
//   - ipip, gre, gue: tcp 6000, 6001, 6002; as ipip-udp and so on udp; rr; servers of both families
//     for clients of both
//   - gue-shop: tcp 6443; mh, weights 3, 2, 1
//
// FULLNAT has the local addresses 10.0.1.1 and 10.0.1.2, 2001:db8:b::1 and ::2; 10.0.1.3 and ::3
// are of lease slot 1 and no service's. Servers route through 10.0.0.254 and 2001:db8:a::fe, or
// through 10.0.0.253 and 2001:db8:a::fd, which are of lease slot 1 and have a virtual MAC.
//
// Clients are on-link on the wan port; far_client is behind the router.
//
// A Talk is what a client and a server say to each other through it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/pipeline/test_network.h"

namespace ballast::testing {

inline constexpr std::string_view kRouterMac = "02:00:00:00:00:f1";
inline constexpr std::string_view kVirtualGatewayMac = "00:00:5e:00:01:34";

TestNetwork::Options all_modes(uint16_t workers = 1);

const std::vector<TestNetwork::ServiceSettings>& services_of_modes();
const TestNetwork::ServiceSettings& service_settings(std::string_view name);

std::string mac_of_server(int number);

// One conversation. The client's sequence numbers begin at 1000, the server's at 5000; segments
// other than a SYN continue behind them.
class Talk {
 public:
  Talk(TestNetwork& network, const Family4or6& family, std::string_view service,
       uint16_t client_port = 40000);
  Talk& client(std::string address) {
    client_ = std::move(address);
    return *this;
  }
  Talk& client_mac(std::string_view mac) {
    client_mac_ = mac;
    return *this;
  }
  Talk& vip(std::string address) {
    vip_ = std::move(address);
    return *this;
  }
  // As a server sees the client when nothing of it was seen: on a second node.
  Talk& assume_server(int number);

  // ---- packets, of the service's protocol; flags are TCP's
  [[nodiscard]] PacketBuilder request(uint8_t flags = kAck) const;
  [[nodiscard]] PacketBuilder reply(uint8_t flags = kAck) const;
  // As the client and the server see the other's packets: what an ICMP error to them quotes.
  [[nodiscard]] PacketBuilder request_at_server(uint8_t flags = kAck) const;
  [[nodiscard]] PacketBuilder reply_at_client(uint8_t flags = kAck) const;

  // ---- sending them
  Outcome ask(const PacketBuilder& packet, TestNetwork::How how = {.port = kWan});
  Outcome ask(uint8_t flags = kAck) { return ask(request(flags)); }
  Outcome answer(const PacketBuilder& packet, TestNetwork::How how = {.port = kLan});
  Outcome answer(uint8_t flags = kAck) { return answer(reply(flags)); }
  // The first packet. Learns the server and what it takes for the client.
  Outcome open(TestNetwork::How how = {.port = kWan});
  // TCP: SYN, SYN+ACK, ACK; UDP: query, response, query.
  void establish();

  // ---- who they are
  [[nodiscard]] int server() const { return server_; }
  [[nodiscard]] ServerIndex server_index() const;
  [[nodiscard]] FlowKey flow() const;
  [[nodiscard]] const Connection* connection(uint16_t worker = 0) const {
    return network_.connection(flow(), worker);
  }
  [[nodiscard]] std::string server_address() const;
  [[nodiscard]] const IpAddress& peer() const { return peer_; }
  [[nodiscard]] uint16_t peer_port() const { return peer_port_; }
  [[nodiscard]] uint16_t server_port() const;
  [[nodiscard]] bool is_tcp() const { return settings_.protocol == IpProtocol::kTcp; }
  // "local1:40312": the server's view of the client, as note() has it.
  [[nodiscard]] std::string peer_name() const;

 private:
  [[nodiscard]] PacketBuilder transport(PacketBuilder packet, uint16_t from, uint16_t to,
                                        uint8_t flags, bool of_client) const;

  TestNetwork& network_;
  const Family4or6& family_;
  const TestNetwork::ServiceSettings& settings_;
  std::string client_;
  std::string_view client_mac_ = kClientMac;
  std::string vip_;
  uint16_t client_port_;
  int server_ = 0;
  IpAddress peer_;  // what the server takes for the client
  uint16_t peer_port_ = 0;
};

// A test for each pair of a family and one of these services: "ipv4_nat_web".
struct Case {
  Family4or6 family;
  std::string service;
  [[nodiscard]] std::string name() const;
};
void PrintTo(const Case& which, std::ostream* out);
enum class Clients : uint8_t { kOfBothFamilies, kIpv4, kIpv6 };
std::vector<Case> cases(const std::vector<std::string>& services,
                        Clients clients = Clients::kOfBothFamilies);

// The same with so many workers: "ipv4_nat_web_2_workers".
struct CaseOnWorkers {
  Case service;
  uint16_t workers;
  [[nodiscard]] std::string name() const;
};
void PrintTo(const CaseOnWorkers& which, std::ostream* out);
std::vector<CaseOnWorkers> on_workers(const std::vector<uint16_t>& workers,
                                      const std::vector<Case>& services);

class InMode : public ::testing::TestWithParam<Case> {
 protected:
  const Family4or6& family = GetParam().family;
  TestNetwork network{all_modes()};
  Talk talk{network, family, GetParam().service};
  [[nodiscard]] const TestNetwork::ServiceSettings& settings() const {
    return service_settings(GetParam().service);
  }
  [[nodiscard]] bool is_nat() const { return settings().mode == ForwardingMode::kNat; }
  [[nodiscard]] VirtualService& service() { return network.service(GetParam().service); }
  void use_servers(const std::vector<int>& numbers) {
    network.use_servers(GetParam().service, numbers);
  }
};

#define BALLAST_IN_MODES(suite, ...)                                              \
  INSTANTIATE_TEST_SUITE_P(Modes, suite, ::testing::ValuesIn(cases(__VA_ARGS__)), \
                           [](const auto& instance) { return instance.param.name(); })

// BALLAST_ON_WORKERS(Suite, {1, 2, 4}, cases({"nat-web", "nat-dns"}));
#define BALLAST_ON_WORKERS(suite, ...)                                                 \
  INSTANTIATE_TEST_SUITE_P(Modes, suite, ::testing::ValuesIn(on_workers(__VA_ARGS__)), \
                           [](const auto& instance) { return instance.param.name(); })

}  // namespace ballast::testing
