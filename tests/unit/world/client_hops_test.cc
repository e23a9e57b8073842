// The next hops on the ways to clients: gateways of all routes, and clients on demand.
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/world/world_fixture.h"

namespace ballast::test {
namespace {

using namespace std::chrono_literals;

constexpr ClientHopSet::Time kStart{1000s};
const auto kAlways = [](ServerIndex) { return true; };

IpAddress client(uint32_t number) {
  return IpAddress::v4({198, 51, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)});
}

NeighborIndex hop(const WorldFixture& fixture, PortIndex port, const IpAddress& address) {
  return fixture.world.snapshot()->client_hops->find(port, address);
}
NeighborIndex hop(const WorldFixture& fixture, PortIndex port, const char* address) {
  return hop(fixture, port, *IpAddress::parse(address));
}

TEST(ClientHops, AGatewayIsOneAsLongAsARouteNamesIt) {
  WorldFixture fixture;
  fixture.accept(base());
  fixture.accept(std::move(Change().add(neighbor("wan", "192.0.2.1", "02:00:00:00:00:01"))));
  fixture.accept(std::move(Change()
                               .add_route("0.0.0.0/0", "wan", "192.0.2.1")
                               .add_route("10.5.0.0/16", "wan", "192.0.2.1")
                               .add_route("::/0", "wan", "fe80::1")));
  const NeighborIndex gateway = hop(fixture, kWan, "192.0.2.1");
  ASSERT_NE(gateway, kNoNeighbor);
  EXPECT_EQ(fixture.neighbors.get(gateway).mac.to_string(), "02:00:00:00:00:01");
  EXPECT_NE(hop(fixture, kWan, "fe80::1"), kNoNeighbor);
  EXPECT_EQ(hop(fixture, kLan, "192.0.2.1"), kNoNeighbor) << "on its port only";

  fixture.accept(std::move(Change().remove_route("0.0.0.0/0")));
  EXPECT_EQ(hop(fixture, kWan, "192.0.2.1"), gateway) << "another route has it";
  fixture.accept(std::move(Change().add_route("10.5.0.0/16", "wan", "192.0.2.3")));
  EXPECT_EQ(hop(fixture, kWan, "192.0.2.1"), kNoNeighbor);
  EXPECT_NE(hop(fixture, kWan, "192.0.2.3"), kNoNeighbor);
  fixture.accept(std::move(Change(true)));
  EXPECT_EQ(hop(fixture, kWan, "192.0.2.3"), kNoNeighbor);
  EXPECT_EQ(fixture.neighbors.size(), 3U) << "older snapshots may be in use";
  fixture.world.reclaim(kAlways);
  EXPECT_EQ(fixture.neighbors.size(), 0U);
}

TEST(ClientHops, AreThoseOfTheRoutesAfterAnyChanges) {
  std::mt19937 random(5);
  WorldFixture fixture;
  for (int step = 0; step < 2000; ++step) {
    Change change(random() % 50 == 0);
    for (size_t count = random() % 4; count > 0; --count) {
      // Prefixes inside one another, too.
      const std::string prefix =
          "10." + std::to_string(random() % 3) + ".0.0/" + std::to_string(16 + random() % 2 * 8);
      if (random() % 3 == 0) {
        change.remove_route(prefix);
      } else {
        change.add_route(
            prefix, random() % 2 == 0 ? "wan" : "lan",
            random() % 4 == 0 ? "" : client(static_cast<uint32_t>(random() % 5)).to_string());
      }
    }
    const auto before = fixture.world.snapshot();
    fixture.apply(change);
    const ForwardingSnapshot& now = *fixture.world.snapshot();
    std::set<NeighborTable::Key> expected;
    for (const Route& route : now.routes->all()) {
      for (const RouteHop& one : route.hops) {
        if (one.gateway) {
          expected.emplace(one.port, *one.gateway);
        }
      }
    }
    for (const PortIndex port : {kWan, kLan}) {
      for (uint32_t number = 0; number < 5; ++number) {
        const NeighborIndex found = now.client_hops->find(port, client(number));
        ASSERT_EQ(found != kNoNeighbor, expected.contains({port, client(number)}));
        if (found != kNoNeighbor) {
          ASSERT_EQ(fixture.neighbors.key_of(found), NeighborTable::Key(port, client(number)));
        }
      }
    }
    const bool same = before->routes == now.routes && before->client_hops == now.client_hops;
    ASSERT_EQ(now.hop_generation, before->hop_generation + (same ? 0 : 1));
    if (random() % 10 == 0) {
      fixture.world.reclaim(kAlways);
      ASSERT_EQ(fixture.neighbors.size(), expected.size());
    }
  }
}

TEST(ClientHops, AClientIsOneFromWhenItIsAskedForUntilNobodyHasAskedForFiveMinutes) {
  WorldFixture fixture;
  fixture.accept(base());
  fixture.accept(std::move(Change().add(neighbor("wan", "198.51.0.7", "02:00:00:00:00:07"))));
  const auto before = fixture.world.snapshot();
  const auto snapshot = fixture.world.need_client_hop(kWan, client(7), kStart);
  ASSERT_NE(snapshot, nullptr);
  EXPECT_EQ(snapshot, fixture.world.snapshot());
  EXPECT_EQ(snapshot->generation, before->generation);
  EXPECT_EQ(snapshot->hop_generation, before->hop_generation + 1);
  const NeighborIndex found = hop(fixture, kWan, client(7));
  ASSERT_NE(found, kNoNeighbor);
  EXPECT_EQ(fixture.neighbors.get(found).mac.to_string(), "02:00:00:00:00:07");

  EXPECT_EQ(fixture.world.need_client_hop(kWan, client(7), kStart + 3min), nullptr);
  EXPECT_EQ(fixture.world.expire_client_hops(kStart + 3min + ClientHopSet::kPatience - 1s),
            nullptr);
  const auto without = fixture.world.expire_client_hops(kStart + 3min + ClientHopSet::kPatience);
  ASSERT_NE(without, nullptr);
  EXPECT_EQ(without->client_hops->find(kWan, client(7)), kNoNeighbor);
  EXPECT_EQ(without->hop_generation, snapshot->hop_generation + 1);
  EXPECT_EQ(fixture.world.expire_client_hops(kStart + 24h), nullptr);
}

TEST(ClientHops, WhatCannotBeANextHopIsNone) {
  WorldFixture fixture;
  fixture.accept(base());
  fixture.accept(
      std::move(Change().add_port("lan", {"10.0.0.5"}).add_route("0.0.0.0/0", "wan", "192.0.2.1")));
  for (const char* address : {"0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "127.0.0.1",
                              "192.0.2.10", "10.0.0.5", "192.0.2.1"}) {
    EXPECT_EQ(fixture.world.need_client_hop(kWan, *IpAddress::parse(address), kStart), nullptr)
        << address;
  }
  EXPECT_EQ(fixture.world.need_client_hop(PortIndex{2}, client(1), kStart), nullptr);
}

TEST(ClientHops, AClientThatIsAGatewayTooOutlivesTheRoute) {
  WorldFixture fixture;
  fixture.accept(base());
  EXPECT_NE(fixture.world.need_client_hop(kWan, client(1), kStart), nullptr);
  const NeighborIndex found = hop(fixture, kWan, client(1));
  fixture.accept(std::move(Change().add_route("0.0.0.0/0", "wan", client(1).to_string())));
  EXPECT_EQ(hop(fixture, kWan, client(1)), found);
  fixture.accept(std::move(Change().remove_route("0.0.0.0/0")));
  EXPECT_EQ(hop(fixture, kWan, client(1)), found);
  EXPECT_NE(fixture.world.expire_client_hops(kStart + 1h), nullptr);
  EXPECT_EQ(hop(fixture, kWan, client(1)), kNoNeighbor);
}

TEST(ClientHops, AreBoundedAndTheOneAskedForLongestAgoGoes) {
  WorldFixture fixture({}, 65536);
  fixture.accept(base());
  std::vector<NeighborTable::Key> all;
  for (uint32_t number = 0; number < ClientHopSet::kMostClients; ++number) {
    all.emplace_back(kWan, client(number));
  }
  ASSERT_NE(fixture.world.need_client_hops(all, kStart), nullptr);
  EXPECT_EQ(fixture.neighbors.size(), ClientHopSet::kMostClients);
  EXPECT_EQ(fixture.world.need_client_hop(kWan, client(0), kStart + 1s), nullptr);
  ASSERT_NE(fixture.world.need_client_hop(kLan, client(0), kStart + 2s), nullptr);
  EXPECT_NE(hop(fixture, kWan, client(0)), kNoNeighbor) << "asked for again";
  EXPECT_EQ(hop(fixture, kWan, client(1)), kNoNeighbor) << "asked for longest ago";
  fixture.world.reclaim(kAlways);
  EXPECT_EQ(fixture.neighbors.size(), ClientHopSet::kMostClients);
}

TEST(ClientHops, LeaveTheLastQuarterOfTheNeighborTableToTransactions) {
  WorldFixture fixture({}, 100);
  fixture.accept(base());
  std::vector<NeighborTable::Key> all;
  for (uint32_t number = 0; number < 200; ++number) {
    all.emplace_back(kWan, client(number));
  }
  ASSERT_NE(fixture.world.need_client_hops(all, kStart), nullptr);
  EXPECT_EQ(fixture.neighbors.size(), 75U);
  EXPECT_EQ(fixture.world.need_client_hop(kWan, client(199), kStart), nullptr);
  std::vector<api::Server> servers;
  for (int number = 1; number <= 25; ++number) {
    servers.push_back(server("10.0.0." + std::to_string(number)));
  }
  fixture.accept(std::move(Change().add(service("web", "192.0.2.10", 80, servers))));
}

TEST(ClientHops, TheGenerationGrowsWhenAPortLeadsElsewhere) {
  WorldFixture fixture;
  fixture.accept(base());
  const uint32_t before = fixture.world.snapshot()->hop_generation;
  PortState state{two_ports()[0].mac, 1500, false};
  fixture.world.port_changed(kWan, state);
  EXPECT_EQ(fixture.world.snapshot()->hop_generation, before + 1);
  state.mtu = 1400;
  fixture.world.port_changed(kWan, state);
  EXPECT_EQ(fixture.world.snapshot()->hop_generation, before + 2);
  state.mac = MacAddress({2, 0, 0, 0, 0, 9});
  fixture.world.port_changed(kWan, state);
  EXPECT_EQ(fixture.world.snapshot()->hop_generation, before + 3);
  // By what the kernel says of the link, too; not by addresses or services.
  Change kernel;
  kernel.add_port("wan", {"192.0.2.2"});
  kernel.transaction().mutable_upsert(0)->mutable_port()->set_link_known(true);
  kernel.transaction().mutable_upsert(0)->mutable_port()->set_link_up(true);
  fixture.accept(std::move(kernel));
  EXPECT_EQ(fixture.world.snapshot()->hop_generation, before + 4);
  fixture.accept(std::move(Change().add(service("web", "192.0.2.10", 80, {server("10.0.0.1")}))));
  fixture.accept(std::move(Change().add(neighbor("lan", "10.0.0.1", "02:00:00:00:00:01"))));
  EXPECT_EQ(fixture.world.snapshot()->hop_generation, before + 4);
}

}  // namespace
}  // namespace ballast::test
