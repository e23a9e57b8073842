#include "tests/unit/world/world_fixture.h"

#include <map>
#include <sstream>

#include <google/protobuf/util/message_differencer.h>

namespace ballast::test {
namespace {

class NoLoads final : public ServerLoads {
 public:
  [[nodiscard]] uint32_t active_connections(ServerIndex) const override { return 0; }
  [[nodiscard]] uint32_t inactive_connections(ServerIndex) const override { return 0; }
};

void print_pool(std::ostream& out, const ForwardingSnapshot& snapshot, const Pool& pool) {
  for (const auto& [address, count] : picks(snapshot, pool, 60)) {
    out << "  pick " << address << " " << count << "\n";
  }
}

void print_services(std::ostream& out, const ForwardingSnapshot& snapshot) {
  std::map<std::string, std::string> by_name;
  for (const ServiceTable::Entry& entry : snapshot.listeners->all()) {
    const VirtualService& service = *snapshot.services.at(entry.service);
    std::ostringstream text;
    text << describe(entry.listener) << " -> " << service.name << " mode "
         << static_cast<int>(service.mode) << " sloppy " << service.sloppy_tcp << " no_server "
         << static_cast<int>(service.on_no_server) << " down "
         << static_cast<int>(service.on_server_down) << " one_packet " << service.one_packet
         << "\n";
    for (const auto& locals : {service.local_ipv4, service.local_ipv6}) {
      for (const LocalAddressIndex local : locals) {
        text << " local " << snapshot.local_addresses->at(index(local)).to_string();
      }
    }
    for (const Listener& listener : service.listeners) {
      text << " " << describe(listener);
    }
    for (const uint32_t seconds : service.timeouts.seconds) {
      text << " " << seconds;
    }
    text << "\n";
    print_pool(text, snapshot, service.ipv4);
    print_pool(text, snapshot, service.ipv6);
    by_name[describe(entry.listener)] = text.str();
  }
  for (const auto& [name, text] : by_name) {
    out << text;
  }
}

void print_servers(std::ostream& out, const World& world, const NeighborTable& neighbors) {
  const ForwardingSnapshot& snapshot = *world.snapshot();
  std::map<std::string, std::string> by_name;
  for (const ServerIndex index_of : world.servers()) {
    const auto description = world.describe(index_of);
    if (description->removed) {
      continue;
    }
    const RealServer& real = snapshot.servers.at(index(index_of));
    std::ostringstream text;
    text << "accepts " << real.accepts_connections << " mode " << static_cast<int>(real.mode)
         << " mss " << real.mss_ipv4 << " " << real.mss_ipv6;
    if (real.tunnel != nullptr) {
      text << " tunnel " << real.tunnel->header.overhead() << " "
           << real.tunnel->first_source.to_string() << " " << real.tunnel->sources;
    }
    if (real.next_hop == kNoNeighbor) {
      text << " no route";
    } else {
      const auto& [port, address] = neighbors.key_of(real.next_hop);
      const Neighbor value = neighbors.get(real.next_hop);
      text << " via " << address.to_string() << " on " << index(port) << "/" << index(real.out_port)
           << " " << static_cast<int>(value.state) << " " << value.mac.to_string();
    }
    by_name[description->service + " " + describe(real.address, real.port)] = text.str();
    EXPECT_EQ(real.service->name, description->service);
    EXPECT_EQ(real.address, description->address);
  }
  for (const auto& [name, text] : by_name) {
    out << name << ": " << text << "\n";
  }
}

}  // namespace

std::vector<WorldPort> two_ports() {
  return {{"wan", MacAddress({2, 0, 0, 0, 0, 0xa0}), 1500, true},
          {"lan", MacAddress({2, 0, 0, 0, 0, 0xa1}), 1500, true}};
}

api::Server server(const std::string& address, uint32_t weight, uint32_t port) {
  api::Server result;
  result.set_address(address);
  result.set_weight(weight);
  result.set_configured_weight(weight);
  result.set_port(port);
  return result;
}

api::Service service(const std::string& name, const std::string& vip, uint32_t port,
                     const std::vector<api::Server>& servers) {
  api::Service result;
  result.set_name(name);
  result.set_mode(api::DR);
  result.set_scheduler("rr");
  api::Listener& listener = *result.add_listeners();
  listener.set_protocol(api::TCP);
  listener.set_address(vip);
  listener.set_port(port);
  for (const api::Server& one : servers) {
    *result.add_servers() = one;
  }
  return result;
}

api::Service service_in(api::Mode mode, const std::string& name, const std::string& vip,
                        uint32_t port, const std::vector<api::Server>& servers) {
  api::Service result = service(name, vip, port, servers);
  result.set_mode(mode);
  if (mode == api::FULLNAT) {
    result.add_local_addresses("10.0.0.200");
    result.add_local_addresses("2001:db8:1::200");
  }
  return result;
}

std::set<ForwardingMode> all_modes() {
  return {ForwardingMode::kDirectRouting, ForwardingMode::kNat, ForwardingMode::kFullNat,
          ForwardingMode::kTunnel};
}

api::Neighbor neighbor(const std::string& port, const std::string& address,
                       const std::string& mac) {
  api::Neighbor result;
  result.set_port(port);
  result.set_address(address);
  result.set_mac(mac);
  result.set_state(api::Neighbor::REACHABLE);
  return result;
}

Change& Change::add(const api::Service& service) {
  *transaction_.add_upsert()->mutable_service() = service;
  return *this;
}

Change& Change::add(const api::Neighbor& neighbor) {
  *transaction_.add_upsert()->mutable_neighbor() = neighbor;
  return *this;
}

Change& Change::add_vip(const std::string& address, uint32_t lease_slot,
                        const std::string& virtual_mac, api::AddressUse use) {
  api::Vip& vip = *transaction_.add_upsert()->mutable_vip();
  vip.set_address(address);
  vip.set_lease_slot(lease_slot);
  vip.set_virtual_mac(virtual_mac);
  vip.set_use(use);
  return *this;
}

Change& Change::route_for(const std::vector<std::string>& networks) {
  api::Settings& settings = *transaction_.add_upsert()->mutable_settings();
  for (const std::string& network : networks) {
    settings.add_routed_networks(network);
  }
  return *this;
}

Change& Change::add_route(const std::string& prefix, const std::string& port,
                          const std::string& gateway) {
  api::Route& route = *transaction_.add_upsert()->mutable_route();
  route.set_prefix(prefix);
  route.add_hops()->set_port(port);
  route.mutable_hops(0)->set_gateway(gateway);
  return *this;
}

Change& Change::add_port(const std::string& name, const std::vector<std::string>& addresses) {
  api::Port& port = *transaction_.add_upsert()->mutable_port();
  port.set_name(name);
  for (const std::string& address : addresses) {
    port.add_addresses(address);
  }
  return *this;
}

Change& Change::remove_service(const std::string& name) {
  transaction_.add_remove()->set_service(name);
  return *this;
}

Change& Change::remove_vip(const std::string& address) {
  transaction_.add_remove()->set_vip(address);
  return *this;
}

Change& Change::remove_route(const std::string& prefix) {
  transaction_.add_remove()->set_route(prefix);
  return *this;
}

Change& Change::remove_neighbor(const std::string& port, const std::string& address) {
  api::Neighbor& key = *transaction_.add_remove()->mutable_neighbor();
  key.set_port(port);
  key.set_address(address);
  return *this;
}

World::Outcome WorldFixture::apply(Change& change) {
  change.transaction().set_generation(world.generation() + 1);
  return world.apply(change.transaction());
}

std::shared_ptr<const ForwardingSnapshot> WorldFixture::accept(Change&& change) {
  World::Outcome outcome = apply(change);
  for (const api::Refusal& refusal : outcome.refusals) {
    ADD_FAILURE() << refusal.what() << ": " << refusal.why();
  }
  EXPECT_EQ(outcome.snapshot, world.snapshot());
  return outcome.snapshot;
}

std::vector<std::string> WorldFixture::refuse(Change&& change) {
  const api::State before = world.state();
  const auto snapshot = world.snapshot();
  const std::string printed = print(world, neighbors);
  const World::Outcome outcome = apply(change);
  EXPECT_EQ(outcome.snapshot, nullptr);
  EXPECT_FALSE(outcome.refusals.empty());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(before, world.state()));
  EXPECT_EQ(snapshot, world.snapshot());
  EXPECT_EQ(printed, print(world, neighbors));
  std::vector<std::string> sentences;
  for (const api::Refusal& refusal : outcome.refusals) {
    sentences.push_back(refusal.what() + ": " + refusal.why());
  }
  return sentences;
}

ServerIndex WorldFixture::find(const std::string& service, const std::string& address) const {
  ServerIndex found = kNoServer;
  for (const ServerIndex candidate : world.servers()) {
    const auto description = world.describe(candidate);
    if (description->service == service && description->address.to_string() == address) {
      if (!description->removed) {
        return candidate;
      }
      found = candidate;
    }
  }
  return found;
}

const RealServer& WorldFixture::real(const std::string& service, const std::string& address) const {
  return world.snapshot()->servers.at(index(find(service, address)));
}

Neighbor WorldFixture::next_hop_of(const std::string& service, const std::string& address) const {
  const NeighborIndex next_hop = real(service, address).next_hop;
  EXPECT_NE(next_hop, kNoNeighbor);
  return neighbors.get(next_hop);
}

Change base() {
  Change change;
  change.add_vip("192.0.2.10").add_vip("2001:db8::10").add_route("10.0.0.0/24", "lan");
  change.add_route("2001:db8:1::/64", "lan");
  return change;
}

std::string print(const World& world, const NeighborTable& neighbors) {
  const ForwardingSnapshot& snapshot = *world.snapshot();
  std::ostringstream out;
  out << "on_no_service " << static_cast<int>(snapshot.on_no_service) << " slots "
      << snapshot.lease_slots << "\n";
  for (const PortState& port : snapshot.ports) {
    out << "port " << port.mac.to_string() << " " << port.mtu << " " << port.up << " "
        << port.ipv4.to_string() << " " << port.ipv6.to_string() << "\n";
  }
  for (const Prefix& network : snapshot.routed_networks) {
    out << "routed " << network.to_string() << "\n";
  }
  for (const LocalAddress& local : snapshot.addresses->all()) {
    out << "local " << local.address.to_string() << " " << static_cast<int>(local.role) << " "
        << int{index(local.lease)} << " " << local.answer_ping << " " << index(local.port) << " "
        << local.virtual_mac.to_string() << "\n";
  }
  print_services(out, snapshot);
  print_servers(out, world, neighbors);
  for (const Route& route : snapshot.routes->all()) {
    out << "route " << route.prefix.to_string() << " " << route.hops.size() << "\n";
    for (const RouteHop& hop : route.hops) {
      if (hop.gateway) {
        const NeighborIndex gateway = snapshot.client_hops->find(hop.port, *hop.gateway);
        const Neighbor value = neighbors.get(gateway);
        out << "  gateway " << hop.gateway->to_string() << " " << (gateway != kNoNeighbor) << " "
            << static_cast<int>(value.state) << " " << value.mac.to_string() << "\n";
      }
    }
  }
  return out.str();
}

std::map<std::string, int> picks(const ForwardingSnapshot& snapshot, const Pool& pool, int picks) {
  std::map<std::string, int> result;
  const FlowKey flow{};
  const NoLoads loads;
  SchedulerCursor cursor;
  for (int count = 0; count < picks; ++count) {
    const ServerIndex picked = pool.scheduler->pick({flow, loads, cursor});
    if (picked == kNoServer) {
      break;
    }
    ++result[snapshot.servers.at(index(picked)).address.to_string()];
  }
  return result;
}

}  // namespace ballast::test
