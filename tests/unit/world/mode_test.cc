// What the mode of a service makes of its snapshot: servers, pools, local addresses, VIPs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/world/world_fixture.h"

namespace ballast::test {
namespace {

using testing::ElementsAre;
using testing::Pair;

const auto kAlways = [](ServerIndex) { return true; };

Change addresses() {
  Change change = base();
  change.add_local("10.0.0.200").add_local("2001:db8:1::200");
  change.add_vip("10.0.0.254", 5, {}, api::GATEWAY);
  return change;
}

api::Service web(api::Mode mode, const std::vector<api::Server>& servers = {server("10.0.0.1")}) {
  return service_in(mode, "web", "192.0.2.10", 80, servers);
}

const LocalAddress& local(const WorldFixture& fixture, const char* address) {
  return *fixture.world.snapshot()->addresses->find(*IpAddress::parse(address));
}

std::vector<ServerIndex> replying(const WorldFixture& fixture, const char* address) {
  const auto found = fixture.world.snapshot()->reply_sources->find(*IpAddress::parse(address));
  return {found.begin(), found.end()};
}

TEST(Mode, AServiceThatChangesItHasOtherServersAndTheOldOnesEndInTheirs) {
  WorldFixture fixture;
  fixture.accept(addresses());
  std::vector<ServerIndex> all;
  for (const api::Mode mode : {api::DR, api::NAT, api::FULLNAT, api::TUN}) {
    const auto snapshot = fixture.accept(std::move(Change().add(web(mode))));
    const ServerIndex now = fixture.find("web", "10.0.0.1");
    EXPECT_THAT(all, testing::Not(testing::Contains(now)));
    for (const ServerIndex former : all) {
      EXPECT_TRUE(fixture.world.describe(former)->removed);
      EXPECT_FALSE(snapshot->servers[index(former)].accepts_connections);
      EXPECT_EQ(snapshot->servers[index(former)].mode, fixture.world.describe(former)->mode);
      EXPECT_NE(snapshot->servers[index(former)].next_hop, kNoNeighbor);
    }
    const RealServer& real = snapshot->servers[index(now)];
    EXPECT_EQ(real.mode, real.service->mode);
    EXPECT_EQ(fixture.world.describe(now)->mode, real.mode);
    EXPECT_THAT(picks(*snapshot, real.service->ipv4, 3), ElementsAre(Pair("10.0.0.1", 3)));
    all.push_back(now);
  }
  // Back in an earlier mode, the server of then is revived.
  fixture.accept(std::move(Change().add(web(api::NAT))));
  EXPECT_EQ(fixture.find("web", "10.0.0.1"), all[1]);
  EXPECT_FALSE(fixture.world.describe(all[1])->removed);
  // The tunnel's end stays, as long as connections may be left.
  EXPECT_NE(fixture.world.snapshot()->servers[index(all[3])].tunnel, nullptr);
  EXPECT_EQ(fixture.world.reclaim(kAlways), 3U);
  EXPECT_EQ(fixture.world.servers(), std::vector{all[1]});
}

TEST(Mode, ATunnelsPoolsBothHoldAllServersUnderOneScheduler) {
  WorldFixture fixture;
  fixture.accept(addresses());
  const auto servers = std::vector{server("10.0.0.1"), server("2001:db8:1::1")};
  for (const char* scheduler : {"rr", "mh"}) {
    api::Service service = web(api::TUN, servers);
    service.set_scheduler(scheduler);
    fixture.accept(std::move(Change().add(service)));
    const VirtualService& object = *fixture.real("web", "10.0.0.1").service;
    EXPECT_EQ(object.ipv4.scheduler, object.ipv6.scheduler);
    EXPECT_NE(object.ipv4.index, object.ipv6.index);
  }
  const auto snapshot = fixture.accept(std::move(Change().add(web(api::TUN, servers))));
  const VirtualService& object = *fixture.real("web", "10.0.0.1").service;
  EXPECT_THAT(picks(*snapshot, object.ipv6, 10),
              ElementsAre(Pair("10.0.0.1", 5), Pair("2001:db8:1::1", 5)));
  // Of the same families again in another mode, and with the same servers in the same one.
  const auto again = fixture.accept(std::move(Change().add(web(api::TUN, servers))));
  EXPECT_EQ(again->services, snapshot->services);
  const auto direct = fixture.accept(std::move(Change().add(web(api::DR))));
  const VirtualService& then = *fixture.real("web", "10.0.0.1").service;
  EXPECT_THAT(picks(*direct, then.ipv4, 4), ElementsAre(Pair("10.0.0.1", 4)));
  EXPECT_TRUE(picks(*direct, then.ipv6, 4).empty());
}

TEST(Mode, APoolNamesItsUsableServers) {
  WorldFixture fixture;
  fixture.accept(addresses());
  const auto names = [&](const Pool& pool) {
    std::vector<std::string> all;
    for (const ServerIndex each : *pool.servers) {
      all.push_back(fixture.world.describe(each)->address.to_string());
    }
    return all;
  };
  fixture.accept(std::move(Change().add(
      web(api::NAT, {server("10.0.0.1"), server("10.0.0.2", 0), server("10.0.0.3")}))));
  EXPECT_THAT(names(fixture.real("web", "10.0.0.1").service->ipv4),
              ElementsAre("10.0.0.1", "10.0.0.3"));
  EXPECT_THAT(names(fixture.real("web", "10.0.0.1").service->ipv6), ElementsAre());
  fixture.accept(
      std::move(Change().add(web(api::TUN, {server("10.0.0.2"), server("2001:db8:1::1")}))));
  EXPECT_THAT(names(fixture.real("web", "10.0.0.2").service->ipv6),
              ElementsAre("10.0.0.2", "2001:db8:1::1"));
}

TEST(Mode, RepliesAreThoseOfNatServersLiveAndRemoved) {
  WorldFixture fixture;
  fixture.accept(addresses());
  fixture.accept(std::move(Change().add(web(api::NAT, {server("10.0.0.1"), server("10.0.0.2")}))));
  const auto& before = fixture.world.snapshot()->reply_sources;
  const auto kept = before;
  const ServerIndex first = fixture.find("web", "10.0.0.1");
  EXPECT_THAT(replying(fixture, "10.0.0.1"), ElementsAre(first));
  EXPECT_TRUE(replying(fixture, "10.0.0.3").empty());

  fixture.accept(std::move(Change().add(web(api::NAT, {server("10.0.0.2")}))));
  EXPECT_THAT(replying(fixture, "10.0.0.1"), ElementsAre(first)) << "it may have connections";
  EXPECT_EQ(fixture.world.snapshot()->reply_sources, kept) << "shared";

  api::Service other =
      service_in(api::NAT, "other", "192.0.2.10", 81, {server("10.0.0.1", 1, 8080)});
  fixture.accept(
      std::move(Change().add(other).add(service("dr", "192.0.2.10", 82, {server("10.0.0.1")}))));
  EXPECT_THAT(replying(fixture, "10.0.0.1"), ElementsAre(first, fixture.find("other", "10.0.0.1")));

  EXPECT_EQ(fixture.world.reclaim(kAlways), 1U);
  fixture.accept(std::move(Change().add_vip("192.0.2.77")));
  EXPECT_THAT(replying(fixture, "10.0.0.1"), ElementsAre(fixture.find("other", "10.0.0.1")));
}

// Who owns the flows of a listener: by the client alone, or by the four-tuple; and whether there
// may be some that are owned by the other rule.
void expect_steered(const WorldFixture& fixture, bool by_client, bool anew) {
  const Listener listener{*IpAddress::parse("192.0.2.10"), Big16::from_host(80), IpProtocol::kTcp};
  const auto snapshot = fixture.world.snapshot();
  EXPECT_EQ(snapshot->steered_by_client->find(listener) != nullptr, by_client);
  EXPECT_EQ(snapshot->steered_anew->find(listener) != nullptr, anew);
}

TEST(Mode, AListenerIsSteeredAnewAsLongAsServersOfTheOtherRuleAreLeft) {
  WorldFixture fixture;
  fixture.accept(addresses());
  const auto expect = [&](bool by_client, bool anew) { expect_steered(fixture, by_client, anew); };
  fixture.accept(std::move(Change().add(web(api::NAT))));
  expect(true, false);
  fixture.accept(std::move(Change().add(web(api::NAT, {server("10.0.0.2")}))));
  expect(true, false);
  for (const api::Mode mode : {api::DR, api::TUN, api::FULLNAT}) {
    fixture.accept(std::move(Change().add(web(mode))));
    expect(false, true);
  }
  fixture.accept(std::move(Change().add(web(api::NAT))));
  expect(true, true);

  fixture.world.reclaim([](ServerIndex) { return false; });
  EXPECT_EQ(fixture.world.settle_owners(), nullptr);
  expect(true, true);
  fixture.world.reclaim(kAlways);
  const auto before = fixture.world.snapshot();
  const auto after = fixture.world.settle_owners();
  ASSERT_NE(after, nullptr);
  EXPECT_EQ(after, fixture.world.snapshot());
  EXPECT_EQ(after->generation, before->generation);
  expect(true, false);
  EXPECT_EQ(fixture.world.settle_owners(), nullptr);
}

TEST(Mode, AListenerIsSteeredAnewWhenAServiceOfTheOtherRuleTakesIt) {
  WorldFixture fixture;
  fixture.accept(addresses());
  const auto expect = [&](bool by_client, bool anew) { expect_steered(fixture, by_client, anew); };
  fixture.accept(std::move(Change().add(web(api::NAT))));
  fixture.accept(std::move(Change().remove_service("web")));
  expect(true, false);  // its connections stay where they are
  fixture.accept(std::move(
      Change().add(service_in(api::DR, "other", "192.0.2.10", 80, {server("10.0.0.1")}))));
  expect(false, true);
  fixture.world.reclaim(kAlways);
  EXPECT_NE(fixture.world.settle_owners(), nullptr);
  expect(false, false);
}

TEST(Mode, ALocalAddressKeepsItsIndexForGood) {
  WorldLimits limits;
  limits.max_local_addresses = 3;
  WorldFixture fixture(limits);
  fixture.accept(addresses());
  fixture.accept(std::move(Change().add(web(api::FULLNAT))));
  const auto before = fixture.world.snapshot();
  const std::vector<LocalAddressIndex> ipv4 = fixture.real("web", "10.0.0.1").service->local_ipv4;
  const std::vector<LocalAddressIndex> ipv6 = fixture.real("web", "10.0.0.1").service->local_ipv6;
  ASSERT_EQ(ipv4.size(), 1U);
  ASSERT_EQ(ipv6.size(), 1U);
  EXPECT_EQ(before->local_addresses->at(index(ipv4[0])).to_string(), "10.0.0.200");
  EXPECT_EQ(before->local_addresses->at(index(ipv6[0])).to_string(), "2001:db8:1::200");

  fixture.accept(std::move(Change(true)));  // all is gone
  fixture.world.reclaim(kAlways);
  fixture.accept(addresses());
  Change more;
  api::Service moved = web(api::FULLNAT);
  moved.set_local_addresses(0, "10.0.0.2");
  fixture.accept(std::move(more.add_local("10.0.0.2").add(moved)));
  fixture.accept(std::move(Change().add(web(api::FULLNAT))));
  EXPECT_EQ(fixture.real("web", "10.0.0.1").service->local_ipv4, ipv4);
  EXPECT_EQ(fixture.real("web", "10.0.0.1").service->local_ipv6, ipv6);
  EXPECT_EQ(fixture.world.snapshot()->local_addresses->size(), 3U);

  api::Service too_much = web(api::FULLNAT);
  too_much.add_local_addresses("10.0.0.3");
  EXPECT_THAT(fixture.refuse(std::move(Change().add_local("10.0.0.3").add(too_much))),
              ElementsAre("transaction: 1 more local addresses are needed, and 3 of 3 have been in "
                          "use since the start: each is remembered until the dataplane restarts"));
}

TEST(Mode, AVipKnowsWhatItsServicesNeed) {
  WorldFixture fixture;
  fixture.accept(addresses());
  const auto expect = [&fixture](bool translates, bool by_client) {
    EXPECT_EQ(local(fixture, "192.0.2.10").translates, translates);
    EXPECT_EQ(local(fixture, "192.0.2.10").steers_by_client, by_client);
    EXPECT_FALSE(local(fixture, "2001:db8::10").translates);
    EXPECT_FALSE(local(fixture, "10.0.0.200").translates);
  };
  expect(false, false);
  fixture.accept(std::move(Change().add(web(api::DR))));
  expect(false, false);
  fixture.accept(std::move(Change().add(web(api::FULLNAT))));
  expect(true, false);
  fixture.accept(std::move(Change().add(service_in(api::NAT, "nat", "192.0.2.10", 81, {}))));
  expect(true, true);
  fixture.accept(std::move(Change().remove_service("nat").add(web(api::TUN))));
  expect(true, false);  // a FULLNAT server is removed, and may have connections
  fixture.world.reclaim(kAlways);
  fixture.accept(std::move(Change().add(service("dr", "192.0.2.10", 82, {}))));
  expect(false, false);
  const auto before = fixture.world.snapshot()->addresses;
  fixture.accept(std::move(Change().add(service("dr", "192.0.2.10", 83, {}))));
  EXPECT_EQ(fixture.world.snapshot()->addresses, before) << "shared: nothing in it changed";
}

TEST(Mode, AddressesHaveTheirRoleAndALeaseInEveryUse) {
  WorldFixture fixture;
  fixture.accept(addresses());
  EXPECT_EQ(local(fixture, "192.0.2.10").role, AddressRole::kVip);
  EXPECT_EQ(local(fixture, "10.0.0.200").role, AddressRole::kLocal);
  EXPECT_EQ(local(fixture, "10.0.0.254").role, AddressRole::kGateway);
  EXPECT_EQ(local(fixture, "10.0.0.254").lease, LeaseSlot{5});
  EXPECT_EQ(fixture.world.snapshot()->lease_slots, 6U);
}

TEST(Mode, TheStateReadsBackAsItWasAskedFor) {
  WorldFixture fixture;
  Change change = addresses();
  api::Service tunnel = web(api::TUN);
  tunnel.mutable_tunnel()->set_encapsulation(api::GUE);
  tunnel.mutable_tunnel()->add_sources("10.9.0.0/24");
  tunnel.mutable_tunnel()->set_no_udp_checksum(true);
  tunnel.set_mss_auto(true);
  api::Service nat = service_in(api::NAT, "dns", "192.0.2.10", 53, {server("10.0.0.3", 1, 5353)});
  nat.mutable_listeners(0)->set_protocol(api::UDP);
  nat.set_one_packet(true);
  nat.set_mss(1400);
  change.add(tunnel).add(nat).route_for({"10.0.0.0/24", "10.0.0.0/24", "2001:db8::/32"});
  fixture.accept(std::move(
      change.add(service_in(api::FULLNAT, "full", "192.0.2.10", 82, {server("10.0.0.4")}))));
  const auto before = fixture.world.snapshot();
  std::string text;
  const api::State state = fixture.world.state();
  for (const api::Resource& resource : state.resources()) {
    text += resource.ShortDebugString() + "\n";
  }
  for (const char* part :
       {"encapsulation: GUE sources: \"10.9.0.0/24\" gue_port: 6080 no_udp_checksum: true",
        "mss_auto: true", "one_packet: true", "mss: 1400", "local_addresses: \"10.0.0.200\"",
        "use: LOCAL", "use: GATEWAY",
        "routed_networks: \"10.0.0.0/24\" routed_networks: \"2001:db8::/32\""}) {
    EXPECT_THAT(text, testing::HasSubstr(part));
  }
  Change full(true);
  *full.transaction().mutable_upsert() = state.resources();
  const auto after = fixture.accept(std::move(full));
  EXPECT_EQ(before->services, after->services);
  EXPECT_EQ(before->tunnels, after->tunnels);
  EXPECT_EQ(before->addresses, after->addresses);
  EXPECT_EQ(before->reply_sources, after->reply_sources);
  EXPECT_EQ(before->local_addresses, after->local_addresses);
  EXPECT_EQ(before->client_hops, after->client_hops);
  EXPECT_EQ(before->hop_generation, after->hop_generation);
}

TEST(Mode, RoutedNetworksAreSortedAndNoneInsideAnother) {
  WorldFixture fixture;
  const auto snapshot = fixture.accept(
      std::move(Change().route_for({"2001:db8::/32", "10.1.0.0/16", "10.0.0.0/8", "0.0.0.0/1",
                                    "::/0", "192.0.2.0/24", "2001:db8:1::/48"})));
  std::vector<std::string> networks;
  for (const Prefix& network : snapshot->routed_networks) {
    networks.push_back(network.to_string());
  }
  EXPECT_THAT(networks, ElementsAre("::/0", "0.0.0.0/1", "192.0.2.0/24"));
}

}  // namespace
}  // namespace ballast::test
