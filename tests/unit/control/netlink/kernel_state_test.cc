#include "control/netlink/kernel_state.h"

#include <gmock/gmock.h>

namespace ballast::netlink {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}
Prefix block(const char* text) {
  return Prefix::parse(text).value();
}

Link link(int index, const char* name, bool up = true) {
  return {.index = index,
          .name = name,
          .mac = {},
          .mtu = 1500,
          .admin_up = true,
          .carrier = up,
          .up = up};
}

KernelRoute over(int index, const char* gateway = nullptr, uint32_t weight = 1) {
  KernelRoute route;
  route.hops.push_back({.link = index,
                        .gateway = gateway == nullptr ? std::nullopt : std::optional(ip(gateway)),
                        .weight = weight});
  return route;
}

KernelState state_with_links() {
  KernelState state;
  state.links = {
      {1, link(1, "eth0")}, {2, link(2, "wan")}, {3, link(3, "lan")}, {4, link(4, "dmz", false)}};
  return state;
}

const std::set<std::string> kTwins{"wan", "lan", "dmz"};

TEST(EffectiveRoutes, TakesTheBestMetricOfEachPrefix) {
  auto state = state_with_links();
  state.routes[{block("10.0.0.0/8"), 20}] = {over(2, "192.0.2.1")};
  state.routes[{block("10.0.0.0/8"), 10}] = {over(3, "192.0.2.2")};
  state.routes[{block("10.0.0.0/16"), 99}] = {over(2)};
  const auto routes = effective_routes(state, kTwins);
  EXPECT_THAT(routes, SizeIs(2));
  EXPECT_EQ(routes.at(block("10.0.0.0/8")), (EffectiveRoute{10, {{"lan", ip("192.0.2.2"), 1}}}));
  EXPECT_EQ(routes.at(block("10.0.0.0/16")), (EffectiveRoute{99, {{"wan", std::nullopt, 1}}}));
}

TEST(EffectiveRoutes, LeavesOutRoutesOverOtherInterfacesSoThatTheNextMetricCounts) {
  auto state = state_with_links();
  state.routes[{block("0.0.0.0/0"), 0}] = {over(1, "10.0.0.1")};
  state.routes[{block("0.0.0.0/0"), 100}] = {over(2, "192.0.2.1")};
  state.routes[{block("::/0"), 1024}] = {over(1, "fe80::1")};
  EXPECT_THAT(
      effective_routes(state, kTwins),
      ElementsAre(Pair(block("0.0.0.0/0"), EffectiveRoute{100, {{"wan", ip("192.0.2.1"), 1}}})));
}

TEST(EffectiveRoutes, LeavesOutTwinsWithoutCarrierAndUnknownLinks) {
  auto state = state_with_links();
  state.routes[{block("10.1.0.0/16"), 0}] = {over(4)};
  state.routes[{block("10.2.0.0/16"), 0}] = {over(77)};
  EXPECT_THAT(effective_routes(state, kTwins), IsEmpty());
}

TEST(EffectiveRoutes, KeepsOfAMultipathRouteTheHopsThatCanBeUsed) {
  auto state = state_with_links();
  KernelRoute route = over(2, "192.0.2.1", 3);
  route.hops.push_back({.link = 1, .gateway = ip("10.0.0.1")});
  route.hops.push_back({.link = 4, .gateway = ip("10.4.0.1")});
  route.hops.push_back({.link = 3, .gateway = ip("fe80::3"), .weight = 2});
  state.routes[{block("10.0.0.0/8"), 0}] = {route};
  EXPECT_EQ(effective_route(state, kTwins, block("10.0.0.0/8")),
            (EffectiveRoute{0, {{"wan", ip("192.0.2.1"), 3}, {"lan", ip("fe80::3"), 2}}}));
}

TEST(EffectiveRoutes, KeepsUnreachableRoutesWithoutHops) {
  auto state = state_with_links();
  KernelRoute blackhole;
  blackhole.kind = RouteKind::kBlackhole;
  state.routes[{block("10.0.0.0/8"), 5}] = {blackhole};
  state.routes[{block("10.0.0.0/8"), 6}] = {over(2)};
  EXPECT_EQ(effective_route(state, kTwins, block("10.0.0.0/8")),
            (EffectiveRoute{5, {}, RouteKind::kBlackhole}));
}

TEST(EffectiveRoutes, TakesTheFirstUsableOfSeveralRoutesWithOneKey) {
  auto state = state_with_links();
  state.routes[{block("10.0.0.0/8"), 0}] = {over(4, "10.4.0.1"), over(3, "10.3.0.1"),
                                            over(2, "10.2.0.1")};
  EXPECT_EQ(effective_route(state, kTwins, block("10.0.0.0/8"))->hops.front().link, "lan");
}

TEST(EffectiveRoutes, OneAndAllAgree) {
  auto state = state_with_links();
  for (int i = 0; i < 200; ++i) {
    const auto prefix = Prefix::containing(IpAddress::v4({10, static_cast<uint8_t>(i % 50), 0, 0}),
                                           static_cast<uint8_t>(8 + i % 9));
    state.routes[{prefix, static_cast<uint32_t>(i * 7 % 13)}] = {over(1 + i % 5)};
  }
  const auto all = effective_routes(state, kTwins);
  for (const auto& [key, routes] : state.routes) {
    const auto one = effective_route(state, kTwins, key.prefix);
    const auto found = all.find(key.prefix);
    EXPECT_EQ(one.has_value(), found != all.end());
    if (one) {
      EXPECT_EQ(*one, found->second);
    }
  }
  EXPECT_FALSE(effective_route(state, kTwins, block("203.0.113.0/24")));
}

TEST(AddressesOf, NamesTheLinks) {
  auto state = state_with_links();
  state.addresses[{2, ip("192.0.2.1"), 24}] = {};
  state.addresses[{1, ip("10.0.0.1"), 24}] = {};
  state.addresses[{3, ip("2001:db8::1"), 64}] = {};
  EXPECT_THAT(addresses_of(state, kTwins),
              ElementsAre(InterfaceAddress{"wan", ip("192.0.2.1"), 24},
                          InterfaceAddress{"lan", ip("2001:db8::1"), 64}));
}

}  // namespace
}  // namespace ballast::netlink
