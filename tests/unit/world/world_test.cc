// What accepted transactions do to snapshots: what changes, what is shared, what keeps its index.
#include "dataplane/world/world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/world/world_fixture.h"

namespace ballast::test {
namespace {

using testing::ElementsAre;
using testing::Pair;

const auto kAlways = [](ServerIndex) { return true; };
const auto kNever = [](ServerIndex) { return false; };

api::Service web(const std::vector<api::Server>& servers) {
  return service("web", "192.0.2.10", 80, servers);
}

const VirtualService& service_at(const ForwardingSnapshot& snapshot, const std::string& vip,
                                 uint16_t port) {
  const ServiceTable::Entry* entry =
      snapshot.listeners->find({*IpAddress::parse(vip), Big16::from_host(port), IpProtocol::kTcp});
  EXPECT_NE(entry, nullptr);
  return *snapshot.services.at(entry->service);
}

TEST(World, AnEmptyOneHasAWholeSnapshot) {
  const WorldFixture fixture;
  const ForwardingSnapshot& snapshot = *fixture.world.snapshot();
  EXPECT_EQ(snapshot.generation, 0U);
  EXPECT_NE(snapshot.addresses, nullptr);
  EXPECT_NE(snapshot.listeners, nullptr);
  EXPECT_NE(snapshot.routes, nullptr);
  EXPECT_EQ(snapshot.ports.size(), 2U);
  EXPECT_EQ(snapshot.lease_slots, 1U);
}

TEST(World, OnlyServersWithWeightAndWithoutOverrideArePicked) {
  WorldFixture fixture;
  fixture.accept(base());
  api::Server drained = server("10.0.0.3", 0);
  drained.set_override(api::DRAINED);
  api::Server disabled = server("10.0.0.4", 0);
  disabled.set_override(api::DISABLED);
  const auto snapshot = fixture.accept(std::move(Change().add(
      web({server("10.0.0.2"), server("10.0.0.1"), server("10.0.0.5", 0), drained, disabled}))));
  const VirtualService& service = service_at(*snapshot, "192.0.2.10", 80);
  EXPECT_THAT(picks(*snapshot, service.ipv4, 10),
              ElementsAre(Pair("10.0.0.1", 5), Pair("10.0.0.2", 5)));
  EXPECT_TRUE(picks(*snapshot, service.ipv6, 10).empty());
  // Connections of a server without weight go on; those of a disabled one are ended.
  EXPECT_TRUE(fixture.real("web", "10.0.0.5").accepts_connections);
  EXPECT_TRUE(fixture.real("web", "10.0.0.3").accepts_connections);
  EXPECT_FALSE(fixture.real("web", "10.0.0.4").accepts_connections);
}

TEST(World, SharesWhatATransactionDoesNotTouch) {
  WorldFixture fixture;
  fixture.accept(base());
  fixture.accept(std::move(Change()
                               .add(web({server("10.0.0.1")}))
                               .add(service("other", "192.0.2.10", 81, {server("10.0.0.1")}))));
  const auto before = fixture.world.snapshot();
  const auto after =
      fixture.accept(std::move(Change().add(web({server("10.0.0.1"), server("10.0.0.2")}))));
  EXPECT_EQ(&service_at(*before, "192.0.2.10", 81), &service_at(*after, "192.0.2.10", 81));
  EXPECT_NE(&service_at(*before, "192.0.2.10", 80), &service_at(*after, "192.0.2.10", 80));
  EXPECT_EQ(service_at(*before, "192.0.2.10", 80).ipv6.scheduler,
            service_at(*after, "192.0.2.10", 80).ipv6.scheduler);
  EXPECT_EQ(before->addresses, after->addresses);
  EXPECT_EQ(before->listeners, after->listeners);
  EXPECT_EQ(before->routes, after->routes);

  // What is stored for people only changes no object at all.
  api::Server checked = server("10.0.0.1");
  checked.set_health(api::UP);
  const auto stored = fixture.accept(std::move(Change().add(web({checked, server("10.0.0.2")}))));
  EXPECT_EQ(stored->services, after->services);
  // Another setting keeps the schedulers.
  api::Service sloppy = web({checked, server("10.0.0.2")});
  sloppy.set_sloppy_tcp(true);
  const auto changed = fixture.accept(std::move(Change().add(sloppy)));
  EXPECT_NE(changed->services, stored->services);
  EXPECT_EQ(service_at(*changed, "192.0.2.10", 80).ipv4.scheduler,
            service_at(*stored, "192.0.2.10", 80).ipv4.scheduler);
  EXPECT_EQ(fixture.real("web", "10.0.0.1").service, &service_at(*changed, "192.0.2.10", 80));
}

TEST(World, AFullTransactionOfTheStateInForceSharesEverything) {
  WorldFixture fixture;
  fixture.accept(base());
  fixture.accept(std::move(Change().add(web({server("10.0.0.1")})).add_port("wan", {"192.0.2.1"})));
  const auto before = fixture.world.snapshot();
  Change full(true);
  *full.transaction().mutable_upsert() = fixture.world.state().resources();
  const auto after = fixture.accept(std::move(full));
  EXPECT_EQ(before->addresses, after->addresses);
  EXPECT_EQ(before->listeners, after->listeners);
  EXPECT_EQ(before->routes, after->routes);
  EXPECT_EQ(before->services, after->services);
  EXPECT_EQ(after->generation, before->generation + 1);
}

TEST(World, AFullTransactionRemovesWhatItDoesNotName) {
  WorldFixture fixture;
  fixture.accept(base());
  fixture.accept(std::move(Change()
                               .add(web({server("10.0.0.1")}))
                               .add_port("wan", {"192.0.2.1"})
                               .add(neighbor("lan", "10.0.0.1", "02:00:00:00:00:01"))));
  const auto snapshot = fixture.accept(std::move(Change(true)));
  EXPECT_EQ(fixture.world.state().resources_size(), 0);
  EXPECT_TRUE(snapshot->addresses->all().empty());
  EXPECT_TRUE(snapshot->listeners->all().empty());
  EXPECT_EQ(snapshot->routes->size(), 0U);
}

TEST(World, ARemovedServerKeepsItsIndexUntilNobodyHoldsItAndIsRevivedBefore) {
  WorldFixture fixture;
  fixture.accept(base());
  fixture.accept(std::move(Change().add(web({server("10.0.0.1"), server("10.0.0.2")}))));
  const ServerIndex removed = fixture.find("web", "10.0.0.1");
  fixture.accept(std::move(Change().add(web({server("10.0.0.2")}))));
  EXPECT_TRUE(fixture.world.describe(removed)->removed);
  EXPECT_FALSE(fixture.real("web", "10.0.0.1").accepts_connections);
  EXPECT_NE(fixture.real("web", "10.0.0.1").next_hop, kNoNeighbor);
  EXPECT_EQ(fixture.real("web", "10.0.0.1").service, fixture.real("web", "10.0.0.2").service);

  EXPECT_EQ(fixture.world.reclaim(kNever), 0U);
  fixture.accept(std::move(Change().add(web({server("10.0.0.2"), server("10.0.0.3")}))));
  EXPECT_NE(fixture.find("web", "10.0.0.3"), removed);
  fixture.accept(std::move(Change().add(web({server("10.0.0.1")}))));
  EXPECT_EQ(fixture.find("web", "10.0.0.1"), removed);
  EXPECT_TRUE(fixture.real("web", "10.0.0.1").accepts_connections);

  fixture.accept(std::move(Change().add(web({}))));
  EXPECT_EQ(fixture.world.reclaim(kAlways), 3U);
  EXPECT_TRUE(fixture.world.servers().empty());
  EXPECT_EQ(fixture.world.describe(removed), std::nullopt);
  const auto snapshot = fixture.accept(std::move(Change().add(web({server("10.0.0.9")}))));
  EXPECT_LT(index(fixture.find("web", "10.0.0.9")), 4U) << "indexes are used again";
  EXPECT_EQ(snapshot->servers.size(), 4U);
}

TEST(World, ARemovedServiceStaysForItsConnectionsAndKeepsItsPools) {
  WorldFixture fixture;
  fixture.accept(base());
  fixture.accept(std::move(Change().add(web({server("10.0.0.1")}))));
  const PoolIndex pool = fixture.real("web", "10.0.0.1").service->ipv4.index;
  const auto snapshot = fixture.accept(std::move(Change().remove_service("web")));
  EXPECT_TRUE(snapshot->listeners->all().empty());
  const RealServer& real = fixture.real("web", "10.0.0.1");
  ASSERT_NE(real.service, nullptr);
  EXPECT_EQ(real.service->name, "web");
  EXPECT_TRUE(picks(*snapshot, real.service->ipv4, 5).empty());

  fixture.accept(std::move(Change().add(service("b", "192.0.2.10", 80, {server("10.0.0.1")}))));
  EXPECT_NE(fixture.real("b", "10.0.0.1").service->ipv4.index, pool);
  fixture.accept(std::move(Change().add(service("web", "192.0.2.10", 81, {server("10.0.0.1")}))));
  EXPECT_EQ(fixture.real("web", "10.0.0.1").service->ipv4.index, pool);

  fixture.accept(std::move(Change().remove_service("web")));
  EXPECT_EQ(fixture.world.reclaim(kAlways), 1U);
  const auto last = fixture.accept(std::move(Change().add(service("c", "192.0.2.10", 82, {}))));
  EXPECT_EQ(service_at(*last, "192.0.2.10", 82).ipv4.index, pool);
  for (const auto& one : last->services) {
    EXPECT_NE(one, nullptr);
  }
}

TEST(World, ANextHopFollowsTheRoutes) {
  WorldFixture fixture;
  fixture.accept(base());
  fixture.accept(std::move(Change().add(web({server("10.0.0.1"), server("10.9.0.1")}))));
  EXPECT_EQ(fixture.real("web", "10.9.0.1").next_hop, kNoNeighbor);
  EXPECT_EQ(fixture.neighbors.key_of(fixture.real("web", "10.0.0.1").next_hop),
            NeighborTable::Key(kLan, *IpAddress::parse("10.0.0.1")));
  const auto key_of = [&fixture](const char* address) {
    return fixture.neighbors.key_of(fixture.real("web", address).next_hop);
  };
  fixture.accept(std::move(Change().add_route("0.0.0.0/0", "wan", "192.0.2.1")));
  EXPECT_EQ(key_of("10.9.0.1"), NeighborTable::Key(kWan, *IpAddress::parse("192.0.2.1")));
  EXPECT_EQ(fixture.real("web", "10.9.0.1").out_port, kWan);
  EXPECT_EQ(key_of("10.0.0.1"), NeighborTable::Key(kLan, *IpAddress::parse("10.0.0.1")));
  fixture.accept(std::move(Change().add_route("10.0.0.1/32", "wan")));
  EXPECT_EQ(key_of("10.0.0.1"), NeighborTable::Key(kWan, *IpAddress::parse("10.0.0.1")));
  fixture.accept(std::move(Change().remove_route("10.0.0.1/32").remove_route("0.0.0.0/0")));
  EXPECT_EQ(key_of("10.0.0.1"), NeighborTable::Key(kLan, *IpAddress::parse("10.0.0.1")));
  EXPECT_EQ(fixture.real("web", "10.9.0.1").next_hop, kNoNeighbor);
}

TEST(World, ANeighborChangesInPlaceAndIsUnknownAgainWhenItIsRemoved) {
  WorldFixture fixture;
  fixture.accept(base());
  fixture.accept(std::move(Change().add(web({server("10.0.0.1")}))));
  const NeighborIndex next_hop = fixture.real("web", "10.0.0.1").next_hop;
  EXPECT_EQ(fixture.neighbors.get(next_hop).state, NeighborState::kUnknown);
  const auto before = fixture.world.snapshot();
  fixture.accept(std::move(Change().add(neighbor("lan", "10.0.0.1", "02:00:00:00:00:01"))));
  EXPECT_EQ(fixture.world.snapshot()->services, before->services);
  EXPECT_EQ(fixture.real("web", "10.0.0.1").next_hop, next_hop);
  EXPECT_EQ(fixture.neighbors.get(next_hop).mac.to_string(), "02:00:00:00:00:01");
  fixture.accept(std::move(Change().remove_neighbor("lan", "10.0.0.1")));
  EXPECT_EQ(fixture.neighbors.get(next_hop).state, NeighborState::kUnknown);
  fixture.world.reclaim(kAlways);
  EXPECT_EQ(fixture.neighbors.size(), 1U) << "the server's next hop stays";
}

TEST(World, ANeighborNamedBeforeItsServerIsReadyForIt) {
  WorldFixture fixture;
  fixture.accept(base());
  fixture.accept(std::move(Change().add(neighbor("lan", "10.0.0.1", "02:00:00:00:00:01"))));
  fixture.world.reclaim(kAlways);
  fixture.accept(std::move(Change().add(web({server("10.0.0.1")}))));
  EXPECT_EQ(fixture.next_hop_of("web", "10.0.0.1").mac.to_string(), "02:00:00:00:00:01");
  fixture.accept(std::move(Change(true)));
  fixture.world.reclaim(kAlways);  // the server
  fixture.world.reclaim(kAlways);  // what it referred to
  EXPECT_EQ(fixture.neighbors.size(), 0U);
}

TEST(World, NothingIsForwardedToTheNodeItself) {
  WorldFixture fixture;
  fixture.accept(base());
  fixture.accept(std::move(Change()
                               .add_vip("192.0.2.11", 3, "00:00:5e:00:01:33")
                               .add(web({server("10.0.0.1"), server("10.0.0.2"), server("10.0.0.3"),
                                         server("10.0.0.4")}))
                               .add(neighbor("lan", "10.0.0.1", "02:00:00:00:00:a0"))
                               .add(neighbor("lan", "10.0.0.2", "00:00:5e:00:01:33"))
                               .add(neighbor("lan", "10.0.0.3", "02:00:00:00:00:03"))
                               .add(neighbor("lan", "10.0.0.4", "00:00:5e:00:01:44"))));
  EXPECT_EQ(fixture.next_hop_of("web", "10.0.0.1").state, NeighborState::kOurs);
  EXPECT_EQ(fixture.next_hop_of("web", "10.0.0.2").state, NeighborState::kOurs);
  EXPECT_EQ(fixture.next_hop_of("web", "10.0.0.3").state, NeighborState::kReachable);
  EXPECT_EQ(fixture.next_hop_of("web", "10.0.0.4").state, NeighborState::kReachable)
      << "the virtual router of somebody else is a next hop like any other";
  EXPECT_EQ(fixture.world.snapshot()->lease_slots, 4U);

  fixture.accept(std::move(Change().add_port("lan", {"10.0.0.3"})));
  EXPECT_EQ(fixture.next_hop_of("web", "10.0.0.3").state, NeighborState::kOurs);
  fixture.accept(std::move(Change().add_port("lan", {}).remove_vip("192.0.2.11")));
  EXPECT_EQ(fixture.next_hop_of("web", "10.0.0.3").state, NeighborState::kReachable);
  EXPECT_EQ(fixture.next_hop_of("web", "10.0.0.2").state, NeighborState::kReachable);
  fixture.world.port_changed(kWan, {MacAddress({2, 0, 0, 0, 0, 3}), 1500, true});
  EXPECT_EQ(fixture.next_hop_of("web", "10.0.0.1").state, NeighborState::kReachable);
  EXPECT_EQ(fixture.next_hop_of("web", "10.0.0.3").state, NeighborState::kOurs);
}

TEST(World, APortFollowsTheDeviceUnlessTheKernelKnowsBetter) {
  WorldFixture fixture;
  const PortState same{two_ports()[0].mac, 1500, true};
  EXPECT_EQ(fixture.world.port_changed(kWan, same), nullptr);
  EXPECT_EQ(fixture.world.port_changed(PortIndex{2}, same), nullptr);
  PortState down = same;
  down.up = false;
  ASSERT_NE(fixture.world.port_changed(kWan, down), nullptr);
  EXPECT_FALSE(fixture.world.snapshot()->ports[0].up);

  Change kernel;
  kernel.add_port("wan", {});
  kernel.transaction().mutable_upsert(0)->mutable_port()->set_link_known(true);
  kernel.transaction().mutable_upsert(0)->mutable_port()->set_link_up(true);
  EXPECT_TRUE(fixture.accept(std::move(kernel))->ports[0].up);
  EXPECT_EQ(fixture.world.port_changed(kWan, same), nullptr);
  EXPECT_EQ(fixture.world.port_changed(kWan, down), nullptr);
  Change forget;
  forget.transaction().add_remove()->set_port("wan");
  EXPECT_FALSE(fixture.accept(std::move(forget))->ports[0].up);
}

}  // namespace
}  // namespace ballast::test
