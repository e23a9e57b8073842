// Where replies leave: to the client's own MAC on its network, by a gateway elsewhere, and how the
// way is found anew.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/notes.h"
#include "tests/unit/pipeline/test_modes.h"

namespace ballast::testing {
namespace {

constexpr std::string_view kNewMac = "02:00:00:00:00:c2";

class WayToClient : public InMode {
 protected:
  // "wan, wan > router": the way that a reply takes.
  std::string way() {
    const std::string text = note(talk.answer());
    return text.substr(0, text.find(": "));
  }
  [[nodiscard]] std::string on_link_prefix() const {
    return family.is_v4() ? "198.51.100.0/24" : "2001:db8:1::/64";
  }
  NeighborIndex add_hop(std::string_view address, std::string_view mac) {
    return network.add_client_hop(kWan, address, {mac_address(mac), NeighborState::kReachable});
  }
};
BALLAST_IN_MODES(WayToClient, {"nat-web", "nat-dns", "full-web", "full-dns"});

TEST_P(WayToClient, OnItsOwnNetworkIsTheMacThatItsFramesComeFrom) {
  talk.establish();
  EXPECT_EQ(way(), "wan, wan > client");
}

TEST_P(WayToClient, ElsewhereIsTheRoutesGateway) {
  talk.client(family.far_client).establish();
  EXPECT_EQ(way(), "wan, wan > router");
  // Whatever MAC its frames came from: routers of one network may share the work.
  talk.ask(talk.request().ethernet(kNewMac, kBalancerMac));
  EXPECT_EQ(way(), "wan, wan > router");
}

TEST_P(WayToClient, FollowsTheClientToAnotherMac) {
  talk.establish();
  EXPECT_EQ(way(), "wan, wan > client");
  network.pass(kSecond);
  talk.ask(talk.request().ethernet(kNewMac, kBalancerMac));
  EXPECT_EQ(way(), "wan, wan > 02:00:00:00:00:c2");
}

// The server sends first in every second.
TEST_P(WayToClient, FollowsTheClientToAnotherMacThoughTheServerIsBusy) {
  talk.establish();
  for (int i = 0; i < 3; ++i) {
    network.pass(kSecond);
    way();
    talk.ask(talk.request().ethernet(kNewMac, kBalancerMac));
  }
  EXPECT_EQ(way(), "wan, wan > 02:00:00:00:00:c2");
}

// A forged packet that a router has passed on, or that tells of this node itself.
TEST_P(WayToClient, IsNotTheMacOfAGatewayOrOfThisNode) {
  talk.establish();
  for (const std::string_view mac : {kRouterMac, kLanMac, kVirtualMac, kVirtualGatewayMac,
                                     std::string_view("03:00:00:00:00:01")}) {
    network.pass(kSecond);
    talk.ask(talk.request().ethernet(mac, kBalancerMac));
    EXPECT_EQ(way(), "wan, wan > client") << mac;
    network.pass(kSecond);
    network.set_route("203.0.113.128/25", kLan);  // it is looked for anew
    EXPECT_EQ(way(), "wan, wan > client") << mac;
  }
}

TEST_P(WayToClient, OfAConnectionThatBeganByAGatewayIsAskedFor) {
  talk.client_mac(kRouterMac).open();
  EXPECT_EQ(note(talk.answer()), "dropped: neighbor_timeout");
  NeighborRequest request;
  ASSERT_TRUE(network.take_request(request));
  EXPECT_EQ(request.address, ip_address(family.client));
  add_hop(family.client, kRouterMac);  // it answers for the client: proxy ARP
  EXPECT_EQ(way(), "wan, wan > router");
  network.pass(kSecond);
  talk.client_mac(kClientMac).ask();
  EXPECT_EQ(way(), "wan, wan > client");
}

TEST_P(WayToClient, OfAGatewayThatIsAClientItselfIsItsMac) {
  talk.client(family.router).client_mac(kRouterMac).open();
  EXPECT_EQ(way(), "wan, wan > router");
}

TEST_P(WayToClient, ChangesWithTheRoutes) {
  talk.establish();
  EXPECT_EQ(way(), "wan, wan > client");
  network.set_route(on_link_prefix(), kWan, family.router);
  EXPECT_EQ(way(), "wan, wan > router");
}

TEST_P(WayToClient, IsRememberedAsLongAsNothingChanges) {
  talk.establish();
  way();
  const uint32_t generation = network.snapshot.hop_generation;
  network.set_route(on_link_prefix(), kWan, family.router);
  network.snapshot.hop_generation = generation;
  EXPECT_EQ(way(), "wan, wan > client");
}

TEST_P(WayToClient, ThatLeavesByAnotherPortThanTheClientCameByAsksForItsMac) {
  talk.open();
  network.set_route(on_link_prefix(), kLan);
  EXPECT_EQ(note(talk.answer()), "dropped: neighbor_timeout");
  NeighborRequest request;
  ASSERT_TRUE(network.take_request(request));
  EXPECT_EQ(request.neighbor, kNoNeighbor);
  EXPECT_EQ(request.port, kLan);
  EXPECT_EQ(request.address, ip_address(family.client));
  EXPECT_EQ(note(talk.answer()), "dropped: neighbor_timeout");
  EXPECT_FALSE(network.take_request(request));  // once in a second
  network.add_client_hop(kLan, family.client, {mac_address(kClientMac), NeighborState::kReachable});
  EXPECT_EQ(way(), "lan, lan > client");
}

TEST_P(WayToClient, ByAGatewayThatIsNotKnownAsksForIt) {
  talk.client(family.far_client).open();
  const std::string other = family.is_v4() ? "198.51.100.254" : "2001:db8:1::fe";
  network.set_route(family.is_v4() ? "100.64.0.0/10" : "2001:db8:99::/48", kWan, other);
  EXPECT_EQ(note(talk.answer()), "dropped: neighbor_timeout");
  NeighborRequest request;
  ASSERT_TRUE(network.take_request(request));
  EXPECT_EQ(request.address, ip_address(other));
  add_hop(other, kNewMac);
  EXPECT_EQ(way(), "wan, wan > 02:00:00:00:00:c2");
}

TEST_P(WayToClient, WaitsForAGatewaysMac) {
  talk.client(family.far_client).open();
  const NeighborIndex router = add_hop(family.router, kRouterMac);
  network.set_neighbor(router, {});
  EXPECT_EQ(way(), "held");
  NeighborRequest request;
  ASSERT_TRUE(network.take_request(request));
  EXPECT_EQ(request.neighbor, router);
  network.set_neighbor(router, {mac_address(kRouterMac), NeighborState::kReachable});
  const std::vector<Outcome> released = network.pass(kMillisecond);
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(note(released[0]).substr(0, 23), "wan, wan > router: vip:");
  network.set_neighbor(router, {{}, NeighborState::kFailed});
  EXPECT_EQ(way(), "dropped");
}

TEST_P(WayToClient, ThatIsFoundAfterTheVipHasLeftIsNotTaken) {
  network.set_lease(kLeaseNeverEnds);
  talk.client(family.far_client).vip(family.leased_vip).open();
  const NeighborIndex router = add_hop(family.router, kRouterMac);
  network.set_neighbor(router, {});
  EXPECT_EQ(way(), "held");
  network.set_lease(network.now());
  network.set_neighbor(router, {mac_address(kRouterMac), NeighborState::kReachable});
  const std::vector<Outcome> released = network.pass(kMillisecond);
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(note(released[0]), "dropped: vip_not_owned");
}

TEST_P(WayToClient, WithoutARouteOrALinkIsNone) {
  talk.open();
  network.remove_route(on_link_prefix());
  network.remove_route(family.is_v4() ? "0.0.0.0/0" : "::/0");
  EXPECT_EQ(note(talk.answer()), "dropped: no_route");
  network.set_route(on_link_prefix(), kWan);
  EXPECT_EQ(way(), "wan, wan > client");
  network.snapshot.ports[index(kWan)].up = false;
  EXPECT_EQ(note(talk.answer()), "dropped: port_down");
}

// A client that moves from behind a gateway to the port's own network.
TEST_P(WayToClient, BecomesTheClientsOwnWhenItsRouteDoes) {
  network.set_route(on_link_prefix(), kWan, family.router);
  talk.establish();
  EXPECT_EQ(way(), "wan, wan > router");
  network.set_route(on_link_prefix(), kWan);
  if (way() == "dropped") {  // its MAC has to be asked for
    add_hop(family.client, kClientMac);
  }
  EXPECT_EQ(way(), "wan, wan > client");
}

TEST_P(WayToClient, SpreadsOverEqualRoutesByFlow) {
  const std::string other = family.is_v4() ? "198.51.100.254" : "2001:db8:1::fe";
  add_hop(other, kNewMac);
  network.snapshot.routes = std::make_shared<const RouteTable>(network.snapshot.routes->with(
      {*Prefix::parse(family.is_v4() ? "100.64.0.0/10" : "2001:db8:99::/48"),
       {{.port = kWan, .gateway = ip_address(family.router)},
        {.port = kWan, .gateway = ip_address(other)}}}));
  ++network.snapshot.hop_generation;
  std::map<std::string, int> ways;
  for (uint16_t port = 1; port <= 200; ++port) {
    Talk each(network, family, GetParam().service, port);
    each.client(family.far_client).open();
    const std::string first = note(each.answer());
    ++ways[first.substr(0, first.find(": "))];
    EXPECT_EQ(note(each.answer()), first);
  }
  EXPECT_EQ(ways.size(), 2U);
  for (const auto& [way, count] : ways) {
    EXPECT_GT(count, 60) << way;
  }
}

}  // namespace
}  // namespace ballast::testing
