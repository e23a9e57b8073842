#include "tests/unit/pipeline/test_modes.h"

#include <algorithm>

#include <fmt/format.h>

#include "tests/unit/pipeline/notes.h"

namespace ballast::testing {
namespace {

constexpr LeaseSlot kLeased{1};

LocalAddressIndex local_address_index(size_t position) {
  return static_cast<LocalAddressIndex>(position);
}

}  // namespace

TestNetwork::Options all_modes(uint16_t workers) {
  TestNetwork::Options options;
  options.workers = workers;
  options.all_modes = true;
  return options;
}

std::string mac_of_server(int number) {
  return fmt::format("02:00:00:00:00:a{}", number);
}

const std::vector<TestNetwork::ServiceSettings>& services_of_modes() {
  using Mode = ForwardingMode;
  using Over = Encapsulation;
  constexpr auto kTcp = IpProtocol::kTcp;
  constexpr auto kUdp = IpProtocol::kUdp;
  static const std::vector<TestNetwork::ServiceSettings> kServices{
      {"nat-web", Mode::kNat, kTcp, 8000, 9000},
      {"nat-dns", Mode::kNat, kUdp, 8053, 9053},
      {"nat-any", Mode::kNat, kTcp, 8001, 0},
      {"nat-any-udp", Mode::kNat, kUdp, 8002, 0},
      {"nat-shop", Mode::kNat, kTcp, 8443, 9443, "mh", {3, 2, 1}},
      {"nat-game", Mode::kNat, kUdp, 8443, 9444, "mh", {3, 2, 1}},
      {"full-web", Mode::kFullNat, kTcp, 7000, 9000},
      {"full-dns", Mode::kFullNat, kUdp, 7053, 9053},
      {"full-any", Mode::kFullNat, kTcp, 7001, 0},
      {"full-any-udp", Mode::kFullNat, kUdp, 7002, 0},
      {"ipip", Mode::kTunnel, kTcp, 6000},
      {"ipip-udp", Mode::kTunnel, kUdp, 6000},
      {"gre", Mode::kTunnel, kTcp, 6001, 0, "rr", {1, 1, 1}, Over::kGre},
      {"gre-udp", Mode::kTunnel, kUdp, 6001, 0, "rr", {1, 1, 1}, Over::kGre},
      {"gue", Mode::kTunnel, kTcp, 6002, 0, "rr", {1, 1, 1}, Over::kGue},
      {"gue-udp", Mode::kTunnel, kUdp, 6002, 0, "rr", {1, 1, 1}, Over::kGue},
      {"gue-shop", Mode::kTunnel, kTcp, 6443, 0, "mh", {3, 2, 1}, Over::kGue}};
  return kServices;
}

const TestNetwork::ServiceSettings& service_settings(std::string_view name) {
  const auto& all = services_of_modes();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.name == name; });
  if (found == all.end()) {
    ADD_FAILURE() << "no service " << name;
    std::abort();
  }
  return *found;
}

// ---------------------------------------------------------------- the network

void TestNetwork::add_modes() {
  std::vector<IpAddress> locals;
  for (const Family4or6& family : both_families()) {
    for (PortState& port : snapshot.ports) {
      const IpAddress own = ip_address(&port == &snapshot.ports[0] ? family.wan : family.lan);
      (family.is_v4() ? port.ipv4 : port.ipv6) = own;
      addresses_.push_back({.address = own, .role = AddressRole::kNode, .virtual_mac = {}});
    }
    addresses_.push_back(
        {.address = ip_address(family.gateway), .role = AddressRole::kGateway, .virtual_mac = {}});
    addresses_.push_back({.address = ip_address(family.leased_gateway),
                          .role = AddressRole::kGateway,
                          .lease = kLeased,
                          .virtual_mac = mac_address(kVirtualGatewayMac)});
    for (const std::string& local : family.locals) {
      const bool leased = &local == &family.locals.back();
      locals.push_back(ip_address(local));
      addresses_.push_back({.address = locals.back(),
                            .role = AddressRole::kLocal,
                            .lease = leased ? kLeased : LeaseSlot{},
                            .virtual_mac = {}});
    }
  }
  for (LocalAddress& address : addresses_) {
    address.translates = address.steers_by_client = address.role == AddressRole::kVip;
  }
  publish_addresses();
  snapshot.local_addresses = std::make_shared<const std::vector<IpAddress>>(locals);
  for (const ServiceSettings& settings : services_of_modes()) {
    add_service(settings);
    if (settings.mode == ForwardingMode::kFullNat) {
      service(settings.name).local_ipv4 = {local_address_index(0), local_address_index(1)};
      service(settings.name).local_ipv6 = {local_address_index(3), local_address_index(4)};
    }
  }
  snapshot.reply_sources = std::make_shared<const ReplySources>(reply_sources_);
  std::vector<ServiceTable::Entry> by_client;
  std::copy_if(listeners_.begin(), listeners_.end(), std::back_inserter(by_client),
               [&](const ServiceTable::Entry& each) {
                 return snapshot.services[each.service]->mode == ForwardingMode::kNat;
               });
  snapshot.steered_by_client = std::make_shared<const ServiceTable>(by_client);
  set_route("198.51.100.0/24", kWan);
  set_route("2001:db8:1::/64", kWan);
  for (const Family4or6& family : both_families()) {
    set_route(family.is_v4() ? "0.0.0.0/0" : "::/0", kWan, family.router);
    add_client_hop(kWan, family.router, {mac_address(kRouterMac), NeighborState::kReachable}, true);
  }
}

void TestNetwork::add_server(const ServiceSettings& settings, const VirtualService& service,
                             const Family4or6& family, int number) {
  const IpAddress address = ip_address(family.server_prefix + std::to_string(number));
  RealServer server{.address = address,
                    .port = Big16::from_host(settings.server_port),
                    .accepts_connections = true,
                    .mode = settings.mode,
                    .out_port = kLan,
                    .next_hop = neighbors_.intern(kLan, address),
                    .service = &service};
  snapshot.tunnels.resize(snapshot.servers.size());
  if (settings.mode == ForwardingMode::kTunnel) {
    snapshot.tunnels.push_back(std::make_shared<const ServerTunnel>(ServerTunnel{
        TunnelHeader({.destination = address, .encapsulation = settings.encapsulation}),
        snapshot.ports[index(kLan)].address(address.family()), 1}));
    server.tunnel = snapshot.tunnels.back().get();
  } else if (settings.mode == ForwardingMode::kNat) {
    reply_sources_.emplace_back(address,
                                ServerIndex{static_cast<uint32_t>(snapshot.servers.size())});
  }
  snapshot.servers.push_back(server);
}

void TestNetwork::replace_service(std::string_view former, const ServiceSettings& settings) {
  const auto is_formers = [&](const ServiceTable::Entry& each) {
    return snapshot.services[each.service]->name == former;
  };
  std::vector<ServiceTable::Entry> anew;
  std::copy_if(listeners_.begin(), listeners_.end(), std::back_inserter(anew), is_formers);
  std::erase_if(listeners_, is_formers);
  change_servers(former, [](RealServer& each) { each.accepts_connections = false; });
  add_service(settings);
  if ((service(former).mode == ForwardingMode::kNat) != (settings.mode == ForwardingMode::kNat)) {
    snapshot.steered_anew = std::make_shared<const ServiceTable>(anew);
  }
  snapshot.reply_sources = std::make_shared<const ReplySources>(reply_sources_);
  service(settings.name).local_ipv4 = {local_address_index(0), local_address_index(1)};
  service(settings.name).local_ipv6 = {local_address_index(3), local_address_index(4)};
}

void TestNetwork::use_tunnels(std::string_view name, const std::vector<int>& numbers,
                              Family family) {
  set_usable(name, [&](ServerIndex each, int number) {
    return server(each).address.family() == family &&
           std::find(numbers.begin(), numbers.end(), number) != numbers.end();
  });
}

void TestNetwork::set_route(std::string_view prefix, PortIndex port, std::string_view gateway) {
  RouteHop hop{.port = port, .gateway = std::nullopt};
  if (!gateway.empty()) {
    hop.gateway = ip_address(gateway);
  }
  snapshot.routes =
      std::make_shared<const RouteTable>(snapshot.routes->with({*Prefix::parse(prefix), {hop}}));
  ++snapshot.hop_generation;
}

void TestNetwork::remove_route(std::string_view prefix) {
  snapshot.routes =
      std::make_shared<const RouteTable>(snapshot.routes->without(*Prefix::parse(prefix)));
  ++snapshot.hop_generation;
}

NeighborIndex TestNetwork::add_client_hop(PortIndex port, std::string_view address,
                                          const Neighbor& neighbor, bool is_gateway) {
  const NeighborIndex hop = neighbors_.intern(port, ip_address(address));
  neighbors_.set(hop, neighbor);
  std::erase_if(client_hops_, [&](const ClientHops::Hop& each) { return each.neighbor == hop; });
  client_hops_.push_back({port, ip_address(address), hop, is_gateway});
  snapshot.client_hops = std::make_shared<const ClientHops>(client_hops_);
  ++snapshot.hop_generation;
  return hop;
}

// ---------------------------------------------------------------- conversations

Talk::Talk(TestNetwork& network, const Family4or6& family, std::string_view service,
           uint16_t client_port)
    : network_(network),
      family_(family),
      settings_(service_settings(service)),
      client_(family.client),
      vip_(family.vip),
      client_port_(client_port) {}

Talk& Talk::assume_server(int number) {
  server_ = number;
  peer_ = ip_address(client_);
  peer_port_ = client_port_;
  return *this;
}

std::string Talk::server_address() const {
  return family_.server_prefix + std::to_string(server_);
}

uint16_t Talk::server_port() const {
  return settings_.server_port != 0 ? settings_.server_port : settings_.port;
}

FlowKey Talk::flow() const {
  return {ip_address(client_), ip_address(vip_), Big16::from_host(client_port_),
          Big16::from_host(settings_.port), settings_.protocol};
}

ServerIndex Talk::server_index() const {
  for (const ServerIndex each : network_.servers_of(settings_.name, server_)) {
    if (network_.server(each).address == ip_address(server_address())) {
      return each;
    }
  }
  return {};
}

std::string Talk::peer_name() const {
  return fmt::format("{}:{}", name_of(peer_), peer_port_);
}

PacketBuilder Talk::transport(PacketBuilder packet, uint16_t from, uint16_t to, uint8_t flags,
                              bool of_client) const {
  if (!is_tcp()) {
    return packet.udp(from, to).payload(of_client ? "query" : "response");
  }
  const bool syn = (flags & kSyn) != 0;
  const bool ack = (flags & kAck) != 0;
  const uint32_t begin = of_client ? 1000 : 5000;
  const uint32_t other = of_client ? 5001 : 1001;
  return packet.tcp(from, to, flags).sequence(syn ? begin : begin + 1, ack ? other : 0);
}

PacketBuilder Talk::request(uint8_t flags) const {
  return transport(packet().ethernet(client_mac_, kBalancerMac).ip(client_, vip_), client_port_,
                   settings_.port, flags, true);
}

PacketBuilder Talk::reply(uint8_t flags) const {
  return transport(
      packet().ethernet(mac_of_server(server_), kLanMac).ip(ip_address(server_address()), peer_),
      server_port(), peer_port_, flags, false);
}

PacketBuilder Talk::request_at_server(uint8_t flags) const {
  return transport(packet().ip(peer_, ip_address(server_address())), peer_port_, server_port(),
                   flags, true);
}

PacketBuilder Talk::reply_at_client(uint8_t flags) const {
  return transport(packet().ip(vip_, client_), settings_.port, client_port_, flags, false);
}

Outcome Talk::ask(const PacketBuilder& packet, TestNetwork::How how) {
  return network_.send_to_owner(packet.build(), how);
}

Outcome Talk::answer(const PacketBuilder& packet, TestNetwork::How how) {
  return network_.send_to_owner(packet.build(), how);
}

Outcome Talk::open(TestNetwork::How how) {
  const Outcome outcome = ask(request(kSyn), how);
  server_ = outcome.server();
  EXPECT_NE(server_, 0) << ::testing::PrintToString(outcome);
  if (server_ == 0 || settings_.mode == ForwardingMode::kTunnel) {
    return outcome;
  }
  ParsedPacket seen;
  Frame frame = outcome.frame;
  EXPECT_EQ(parse(frame.view(), seen), DropReason::kNone);
  peer_ = seen.source;
  peer_port_ = seen.source_port.to_host();
  return outcome;
}

void Talk::establish() {
  open();
  if (settings_.mode != ForwardingMode::kTunnel) {
    EXPECT_EQ(answer(kSyn | kAck).verdict, Verdict::kTransmit);
  }
  EXPECT_EQ(ask(kAck).server(), server_);
  const Connection* entry = connection();
  EXPECT_TRUE(entry != nullptr && entry->trusted);
}

std::string Case::name() const {
  std::string text = family.name + "_" + service;
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
}

void PrintTo(const Case& which, std::ostream* out) {
  *out << which.name();
}

std::vector<Case> cases(const std::vector<std::string>& services, Clients clients) {
  std::vector<Case> all;
  for (const Family4or6& family : both_families()) {
    if (clients == (family.is_v4() ? Clients::kIpv6 : Clients::kIpv4)) {
      continue;
    }
    for (const std::string& service : services) {
      all.push_back({family, service});
    }
  }
  return all;
}

std::string CaseOnWorkers::name() const {
  return fmt::format("{}_{}_workers", service.name(), workers);
}

void PrintTo(const CaseOnWorkers& which, std::ostream* out) {
  *out << which.name();
}

std::vector<CaseOnWorkers> on_workers(const std::vector<uint16_t>& workers,
                                      const std::vector<Case>& services) {
  std::vector<CaseOnWorkers> all;
  for (const Case& service : services) {
    for (const uint16_t count : workers) {
      all.push_back({service, count});
    }
  }
  return all;
}

}  // namespace ballast::testing
