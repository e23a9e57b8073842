// What the dataplane is told, as pure functions of configuration, conditions and kernel.
#include <gmock/gmock.h>

#include "control/dataplane_link/next_hops.h"
#include "control/dataplane_link/resources.h"
#include "control/dataplane_link/weight_in_force.h"

namespace ballast::control {
namespace {

using healthcheck::Health;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}
Prefix prefix(const char* text) {
  return *Prefix::parse(text);
}

ServiceSettings web() {
  ServiceSettings service;
  service.name = "web";
  service.listeners = {{IpProtocol::kTcp, ip("192.0.2.10"), 80},
                       {IpProtocol::kTcp, ip("2001:db8::10"), 80}};
  service.scheduler = "rr";
  service.timeouts["fin_wait"] = std::chrono::seconds(7);
  for (const char* address : {"10.0.0.11", "10.0.0.12"}) {
    ServerSettings server;
    server.key.address = ip(address);
    server.weight = 5;
    service.servers.push_back(server);
  }
  return service;
}

TEST(WeightInForce, IsTheConfiguredOneOnlyOfAServerThatIsUpAndUntouched) {
  for (const Health health : {Health::kUnknown, Health::kUp, Health::kDown}) {
    for (const auto override_by_hand :
         {ballast::api::NO_OVERRIDE, ballast::api::DRAINED, ballast::api::DISABLED}) {
      const bool takes = health == Health::kUp && override_by_hand == ballast::api::NO_OVERRIDE;
      EXPECT_EQ(weight_in_force(7, {health, override_by_hand}), takes ? 7 : 0);
      EXPECT_EQ(weight_in_force(0, {health, override_by_hand}), 0);
    }
  }
}

TEST(ServiceResource, HasTheSettingsAndTheConditionsOfItsServers) {
  const ServerConditions conditions{
      {{"web", {ip("10.0.0.11"), 0}}, {Health::kUp, ballast::api::NO_OVERRIDE}},
      {{"web", {ip("10.0.0.12"), 0}}, {Health::kUp, ballast::api::DRAINED}},
      {{"mail", {ip("10.0.0.11"), 0}}, {Health::kDown, ballast::api::DISABLED}}};
  const ballast::api::Service service = service_resource(web(), conditions).service();
  EXPECT_EQ(service.name(), "web");
  EXPECT_EQ(service.mode(), ballast::api::DR);
  EXPECT_EQ(service.scheduler(), "rr");
  ASSERT_EQ(service.listeners_size(), 2);
  EXPECT_EQ(service.listeners(1).address(), "2001:db8::10");
  EXPECT_EQ(service.listeners(1).protocol(), ballast::api::TCP);
  ASSERT_EQ(service.timeout_seconds_size(), 1);
  EXPECT_EQ(service.timeout_seconds().at("FIN_WAIT"), 7U);
  ASSERT_EQ(service.servers_size(), 2);
  EXPECT_EQ(service.servers(0).weight(), 5U);
  EXPECT_EQ(service.servers(0).health(), ballast::api::UP);
  EXPECT_EQ(service.servers(1).weight(), 0U);
  EXPECT_EQ(service.servers(1).configured_weight(), 5U);
  EXPECT_EQ(service.servers(1).override(), ballast::api::DRAINED);
}

// As a reload proposes a service that is new: its servers take connections at once.
TEST(ServiceResource, HasServersThatNobodyChecksUpFromTheFirstMoment) {
  ServiceSettings settings = web();
  settings.servers[1].check.type = healthcheck::CheckType::kTcp;
  const ballast::api::Service service = service_resource(settings, {}).service();
  EXPECT_EQ(service.servers(0).health(), ballast::api::UP);
  EXPECT_EQ(service.servers(0).weight(), 5U);
  EXPECT_EQ(service.servers(1).health(), ballast::api::HEALTH_UNKNOWN);
  EXPECT_EQ(service.servers(1).weight(), 0U);
  const ServerConditions disabled{
      {{"web", {ip("10.0.0.11"), 0}}, {Health::kUnknown, ballast::api::DISABLED}}};
  EXPECT_EQ(service_resource(settings, disabled).service().servers(0).weight(), 0U);
}

TEST(ConfiguredResources, AreServicesVipsAndSettingsEachUnderItsKey) {
  Configuration configuration;
  configuration.services = {web()};
  configuration.vips = {{ip("192.0.2.99"), false}};
  configuration.daemon.on_no_service = Refuse::kDrop;
  const Resources resources = configured_resources(configuration, {}, {});
  std::vector<std::string> keys;
  for (const auto& [key, resource] : resources) {
    keys.push_back(key);
    EXPECT_EQ(key, key_of(resource));
  }
  EXPECT_THAT(keys, ElementsAre("service/web", "settings", "vip/192.0.2.10", "vip/192.0.2.99",
                                "vip/2001:db8::10"));
  EXPECT_EQ(resources.at("settings").settings().on_no_service(), ballast::api::DROP);
  EXPECT_TRUE(resources.at("vip/192.0.2.99").vip().ignore_ping());
  EXPECT_FALSE(resources.at("vip/192.0.2.10").vip().ignore_ping());
}

TEST(ServiceResource, SaysHowEachModeReachesItsServers) {
  ServiceSettings service = web();
  EXPECT_FALSE(service_resource(service, {}).service().has_tunnel());
  service.mode = Mode::kFullNat;
  service.local_addresses = {ip("10.0.0.200"), ip("2001:db8::200")};
  service.mss = 1440;
  const ballast::api::Service fullnat = service_resource(service, {}).service();
  EXPECT_EQ(fullnat.mode(), ballast::api::FULLNAT);
  EXPECT_THAT(fullnat.local_addresses(), ElementsAre("10.0.0.200", "2001:db8::200"));
  EXPECT_EQ(fullnat.mss(), 1440U);
  EXPECT_FALSE(fullnat.mss_auto());
  EXPECT_FALSE(fullnat.has_tunnel());

  service = web();
  service.mode = Mode::kTunnel;
  service.mss_auto = true;
  service.one_packet = true;
  service.tunnel.sources = {prefix("10.0.0.200/29")};
  const ballast::api::Service ipip = service_resource(service, {}).service();
  EXPECT_EQ(ipip.mode(), ballast::api::TUN);
  EXPECT_EQ(ipip.tunnel().encapsulation(), ballast::api::IPIP);
  EXPECT_THAT(ipip.tunnel().sources(), ElementsAre("10.0.0.200/29"));
  EXPECT_TRUE(ipip.mss_auto());
  EXPECT_TRUE(ipip.one_packet());
  service.tunnel.encapsulation = Encapsulation::kGue;
  service.tunnel.gue_checksum = false;
  const ballast::api::Service gue = service_resource(service, {}).service();
  EXPECT_EQ(gue.tunnel().encapsulation(), ballast::api::GUE);
  EXPECT_EQ(gue.tunnel().gue_port(), 6080U);
  EXPECT_TRUE(gue.tunnel().no_udp_checksum());

  service = web();
  service.mode = Mode::kNat;
  service.servers[0].key.port = 8080;
  const ballast::api::Service nat = service_resource(service, {}).service();
  EXPECT_EQ(nat.mode(), ballast::api::NAT);
  EXPECT_EQ(nat.servers(0).port(), 8080U);
  EXPECT_EQ(nat.servers(1).port(), 0U);
}

TEST(ConfiguredResources, SayWhatEachAddressIsForAndUnderWhichLease) {
  Configuration configuration;
  configuration.services = {web()};
  configuration.services[0].mode = Mode::kFullNat;
  configuration.services[0].local_addresses = {ip("10.0.0.200"), ip("10.0.0.201")};
  configuration.nat.gateways = {ip("10.0.0.1")};
  configuration.nat.routed_networks = {prefix("10.0.0.0/24"), prefix("2001:db8::/32")};
  const MacAddress mac = *MacAddress::parse("00:00:5e:00:01:33");
  const VipLeases leases{{ip("10.0.0.1"), {3, mac}}, {ip("10.0.0.200"), {3, mac}}};
  const Resources resources = configured_resources(configuration, {}, leases);
  const auto vip = [&](const char* address) {
    return resources.at(std::string("vip/") + address).vip();
  };
  EXPECT_EQ(vip("192.0.2.10").use(), ballast::api::SERVICES);
  EXPECT_EQ(vip("10.0.0.1").use(), ballast::api::GATEWAY);
  EXPECT_EQ(vip("10.0.0.1").lease_slot(), 3U);
  EXPECT_EQ(vip("10.0.0.1").virtual_mac(), "00:00:5e:00:01:33");
  EXPECT_EQ(vip("10.0.0.200").use(), ballast::api::LOCAL);
  EXPECT_EQ(vip("10.0.0.200").lease_slot(), 3U);
  EXPECT_EQ(vip("10.0.0.201").use(), ballast::api::LOCAL);
  EXPECT_EQ(vip("10.0.0.201").lease_slot(), 0U);  // no [[vrrp]] has it: held always
  EXPECT_THAT(resources.at("settings").settings().routed_networks(),
              ElementsAre("10.0.0.0/24", "2001:db8::/32"));
}

TEST(Conditions, SurviveTheWayIntoTheDataplaneAndBack) {
  ServerConditions conditions;
  ServiceSettings service = web();
  service.servers.clear();
  uint16_t port = 1;
  for (const Health health : {Health::kUnknown, Health::kUp, Health::kDown}) {
    EXPECT_EQ(from_api(to_api(health)), health);
    for (const auto override_by_hand :
         {ballast::api::NO_OVERRIDE, ballast::api::DRAINED, ballast::api::DISABLED}) {
      ServerSettings server;
      server.key = {ip("2001:db8::11"), port++};
      server.check.type = healthcheck::CheckType::kTcp;
      service.servers.push_back(server);
      conditions[{"web", server.key}] = {health, override_by_hand};
    }
  }
  ballast::api::State state;
  *state.add_resources() = service_resource(service, conditions);
  EXPECT_EQ(conditions_in(state), conditions);
}

TEST(Resources, AreRemovedByTheirOwnKey) {
  netlink::EffectiveRoute effective;
  effective.hops = {{"lan", ip("10.0.0.1"), 3}, {"wan", std::nullopt, 1}};
  const auto route = route_resource(prefix("10.0.0.0/8"), effective);
  EXPECT_EQ(key_of(route), "route/10.0.0.0/8");
  EXPECT_EQ(removal_of(route).route(), "10.0.0.0/8");
  EXPECT_EQ(name_in_refusals(route), "route 10.0.0.0/8");
  EXPECT_EQ(route.route().hops(0).gateway(), "10.0.0.1");
  EXPECT_EQ(route.route().hops(1).gateway(), "");

  const auto neighbor =
      neighbor_resource({"lan", ip("10.0.0.11")},
                        {*MacAddress::parse("02:00:00:00:00:01"), netlink::NeighborState::kKnown});
  EXPECT_EQ(key_of(neighbor), "neighbor/lan/10.0.0.11");
  EXPECT_EQ(removal_of(neighbor).neighbor().port(), "lan");
  EXPECT_EQ(removal_of(neighbor).neighbor().address(), "10.0.0.11");
  EXPECT_EQ(name_in_refusals(neighbor), "neighbor \"10.0.0.11\" on \"lan\"");
  EXPECT_EQ(neighbor.neighbor().state(), ballast::api::Neighbor::REACHABLE);
  const auto failed =
      neighbor_resource({"lan", ip("10.0.0.11")}, {{}, netlink::NeighborState::kFailed});
  EXPECT_EQ(failed.neighbor().state(), ballast::api::Neighbor::FAILED);
  EXPECT_EQ(failed.neighbor().mac(), "");

  const auto service = service_resource(web(), {});
  EXPECT_EQ(removal_of(service).service(), "web");
  EXPECT_EQ(name_in_refusals(service), "service \"web\"");
}

TEST(PortResource, HasTheTwinsAddressesAndTheLinkOfWhatItSitsOn) {
  netlink::KernelState kernel;
  EXPECT_FALSE(port_resource("wan", "", kernel, {}).port().link_known());
  const ballast::api::Port gone = port_resource("wan", "eth1", kernel, {}).port();
  EXPECT_TRUE(gone.link_known());  // an interface that is not there is down
  EXPECT_FALSE(gone.link_up());
  EXPECT_EQ(key_of(port_resource("wan", "eth1", kernel, {})), "port/wan");
}

TEST(RouteTo, IsTheLongestPrefixThatContainsTheAddress) {
  EffectiveRoutes routes;
  for (const char* text : {"0.0.0.0/0", "10.0.0.0/8", "10.0.0.11/32", "::/0", "2001:db8::/32"}) {
    routes[prefix(text)].hops = {{text, std::nullopt, 1}};
  }
  const auto link_to = [&](const char* address) {
    return route_to(routes, ip(address))->hops[0].link;
  };
  EXPECT_EQ(link_to("10.0.0.11"), "10.0.0.11/32");
  EXPECT_EQ(link_to("10.0.0.12"), "10.0.0.0/8");
  EXPECT_EQ(link_to("192.0.2.1"), "0.0.0.0/0");
  EXPECT_EQ(link_to("2001:db8::1"), "2001:db8::/32");
  EXPECT_EQ(link_to("2001:db9::1"), "::/0");
  routes.erase(prefix("0.0.0.0/0"));
  EXPECT_EQ(route_to(routes, ip("192.0.2.1")), nullptr);
}

TEST(NextHops, AreGatewaysOrTheServersThemselvesOverEveryHop) {
  Configuration configuration;
  configuration.services = {web()};
  EffectiveRoutes routes;
  EXPECT_THAT(next_hops_of_servers(configuration, routes), IsEmpty());
  routes[prefix("10.0.0.0/24")].hops = {{"lan", std::nullopt, 1}};
  routes[prefix("10.0.0.12/32")].hops = {{"lan", ip("10.0.0.1"), 1}, {"wan", ip("10.9.0.1"), 1}};
  EXPECT_THAT(
      next_hops_of_servers(configuration, routes),
      ElementsAre(netlink::NextHop{"lan", ip("10.0.0.1")}, netlink::NextHop{"lan", ip("10.0.0.11")},
                  netlink::NextHop{"wan", ip("10.9.0.1")}));
  routes[prefix("10.0.0.0/24")].hops.clear();  // unreachable
  EXPECT_EQ(next_hops_of_servers(configuration, routes).size(), 2U);
}

TEST(PortResource, LeavesOutAnAddressThatIsAVip) {
  netlink::KernelState kernel;
  kernel.links[7] = {.index = 7, .name = "wan", .mac = {}, .mtu = 1500};
  const IpAddress node = *IpAddress::parse("10.0.0.1");
  const IpAddress vip = *IpAddress::parse("192.0.2.10");
  kernel.addresses[{7, node, 24}] = {};
  kernel.addresses[{7, vip, 32}] = {};
  const ballast::api::Port port = port_resource("wan", "", kernel, {vip}).port();
  ASSERT_EQ(port.addresses_size(), 1);
  EXPECT_EQ(port.addresses(0), "10.0.0.1");
}

TEST(NeighborsIn, AreThoseWithAMac) {
  ballast::api::State state;
  ballast::api::Neighbor& reachable = *state.add_resources()->mutable_neighbor();
  reachable.set_port("wan");
  reachable.set_address("10.0.0.11");
  reachable.set_mac("02:00:00:00:00:11");
  reachable.set_state(ballast::api::Neighbor::REACHABLE);
  ballast::api::Neighbor& failed = *state.add_resources()->mutable_neighbor();
  failed.set_port("wan");
  failed.set_address("10.0.0.12");
  failed.set_state(ballast::api::Neighbor::FAILED);
  const auto neighbors = neighbors_in(state);
  ASSERT_EQ(neighbors.size(), 1u);
  EXPECT_EQ(neighbors.begin()->first.address, *IpAddress::parse("10.0.0.11"));
  EXPECT_EQ(neighbors.begin()->second, *MacAddress::parse("02:00:00:00:00:11"));
}

}  // namespace
}  // namespace ballast::control
