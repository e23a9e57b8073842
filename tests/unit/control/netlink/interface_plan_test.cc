#include "control/netlink/interface_plan.h"

#include <gmock/gmock.h>
#include <linux/rtnetlink.h>

namespace ballast::netlink {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}
Prefix block(const char* text) {
  return Prefix::parse(text).value();
}

class InterfacePlanTest : public testing::Test {
 protected:
  InterfacePlanTest() {
    state_.links[7] = {
        .index = 7, .name = "wan", .mtu = 1500, .admin_up = true, .carrier = true, .up = true};
  }
  [[nodiscard]] InterfacePlan plan(bool bring_up = true) const {
    return plan_interface(state_, wanted_, memory_, ours_, bring_up);
  }
  // As if the kernel had carried the plan out.
  void carry_out(const InterfacePlan& plan) {
    for (const auto& action : plan.actions) {
      if (const auto* address = std::get_if<AddAddress>(&action)) {
        state_.addresses[address->key] = address->value;
      } else if (const auto* gone_address = std::get_if<RemoveAddress>(&action)) {
        state_.addresses.erase(gone_address->key);
      } else if (const auto* route = std::get_if<AddRoute>(&action)) {
        state_.routes[route->key] = {route->route};
        ours_.insert(route->key);
      } else if (const auto* gone_route = std::get_if<RemoveRoute>(&action)) {
        state_.routes.erase(gone_route->key);
        ours_.erase(gone_route->key);
      }
    }
  }

  KernelState state_;
  InterfaceSettings wanted_{
      "wan",
      {{ip("192.0.2.1"), 24}, {ip("2001:db8::1"), 64}},
      {{block("10.0.0.0/8"), ip("192.0.2.254"), {}}, {block("::/0"), ip("fe80::1"), {}}}};
  RememberedInterface memory_;
  std::set<RouteKey> ours_;
};

TEST_F(InterfacePlanTest, AddsWhatIsMissingAddressesFirstAndIsThenContent) {
  const auto first = plan();
  ASSERT_THAT(first.actions, SizeIs(4));
  EXPECT_TRUE(std::holds_alternative<AddAddress>(first.actions[1]));
  EXPECT_TRUE(std::holds_alternative<AddRoute>(first.actions[2]));
  EXPECT_EQ(std::get<AddRoute>(first.actions[3]).key.metric, 1024U);
  carry_out(first);
  EXPECT_TRUE(plan().empty());
}

TEST_F(InterfacePlanTest, AnAbsentLinkNeedsNothingAndOneThatIsDownOnlyToBeUp) {
  state_.links[7].admin_up = false;
  EXPECT_THAT(plan(true).actions, ElementsAre(InterfaceAction(SetLinkUp{7})));
  EXPECT_TRUE(plan(false).empty());
  state_.links.clear();
  EXPECT_TRUE(plan().empty());
}

TEST_F(InterfacePlanTest, RemovesOnlyItsOwnAndAfterWhatIsNew) {
  carry_out(plan());
  const AddressKey foreign{7, ip("192.0.2.77"), 32};
  state_.addresses[foreign] = {};
  state_.routes[{block("172.16.0.0/12"), 0}] = {
      KernelRoute{.protocol = RTPROT_STATIC, .hops = {{.link = 7}}}};
  wanted_ = {"wan", {{ip("192.0.2.2"), 24}}, {}};
  const auto next = plan();
  ASSERT_THAT(next.actions, SizeIs(5));
  EXPECT_TRUE(std::holds_alternative<AddAddress>(next.actions.front()));
  carry_out(next);
  EXPECT_THAT(state_.addresses, SizeIs(2));
  EXPECT_TRUE(state_.addresses.contains(foreign));
  EXPECT_THAT(state_.routes, SizeIs(1));
}

TEST_F(InterfacePlanTest, ReplacesItsOwnRouteButTellsOfAForeignOne) {
  carry_out(plan());
  wanted_.routes[0].via = ip("192.0.2.253");
  ASSERT_THAT(plan().actions, SizeIs(1));
  EXPECT_TRUE(std::get<AddRoute>(plan().actions[0]).replace);
  state_.routes.at({block("10.0.0.0/8"), 0}).front().protocol = RTPROT_STATIC;
  EXPECT_THAT(plan().actions, IsEmpty());
  EXPECT_THAT(plan().problems,
              ElementsAre(HasSubstr("route 10.0.0.0/8 via 192.0.2.253: another route")));
}

TEST_F(InterfacePlanTest, IsContentWithTheSameRouteOfSomebodyElse) {
  carry_out(plan());
  state_.routes.at({block("10.0.0.0/8"), 0}).front().protocol = RTPROT_STATIC;
  EXPECT_TRUE(plan().empty());
}

TEST_F(InterfacePlanTest, ALostInterfaceGetsEverythingAgainWithItsNewIndex) {
  carry_out(plan());
  memory_.lost = true;
  memory_.addresses[{ip("192.0.2.77"), 32}] = {};
  memory_.routes[{block("172.16.0.0/12"), 5}] = {{.protocol = RTPROT_BOOT, .hops = {{.link = 3}}},
                                                 {"wan"}};
  memory_.routes[{block("172.32.0.0/12"), 5}] = {
      {.protocol = RTPROT_BOOT, .hops = {{.link = 3}, {.link = 4}}}, {"wan", "gone"}};
  const auto all = plan();
  ASSERT_THAT(all.actions, SizeIs(6)) << "not the route over a link that is absent";
  EXPECT_EQ(std::get<AddRoute>(all.actions.back()).route.hops.front().link, 7);
}

class InterfaceMemoryTest : public InterfacePlanTest {
 protected:
  void follow(const std::set<std::string>& went_down = {}) {
    KernelChanges changes;
    changes.addresses = true;
    changes.links = true;
    changes.went_down = went_down;
    for (const auto& [key, routes] : state_.routes) {
      changes.routes.insert(key.prefix);
    }
    changes.routes.insert(kRoute.prefix);
    followed_.follow(state_, changes);
  }
  [[nodiscard]] bool remembers() const {
    const auto* memory = followed_.of("wan");
    return memory->addresses.contains({ip("192.0.2.77"), 32}) && memory->routes.contains(kRoute);
  }
  void put_by_hand() {
    state_.addresses[{7, ip("192.0.2.77"), 32}] = {.permanent = true};
    state_.routes[kRoute] = {KernelRoute{.protocol = RTPROT_BOOT, .hops = {{.link = 7}}}};
  }
  void take_away() {
    state_.addresses.clear();
    state_.routes.clear();
  }

  const RouteKey kRoute{block("172.16.0.0/12"), 5};
  InterfaceMemory followed_;
};

TEST_F(InterfaceMemoryTest, ForgetsWhatIsTakenAwayWhileTheLinkIsUp) {
  followed_.set_twins({"wan"}, state_);
  put_by_hand();
  follow();
  EXPECT_TRUE(remembers());
  take_away();
  follow();
  EXPECT_EQ(*followed_.of("wan"), RememberedInterface{});
}

TEST_F(InterfaceMemoryTest, RemembersWhatIsGoneOnceTheLinkIsDownEvenIfItIsUpAgain) {
  put_by_hand();
  followed_.set_twins({"wan"}, state_);
  take_away();
  follow({"wan"});
  EXPECT_TRUE(remembers());
  EXPECT_TRUE(followed_.of("wan")->lost);
  follow();
  EXPECT_TRUE(remembers());
  put_by_hand();
  followed_.restored("wan", state_);
  EXPECT_FALSE(followed_.of("wan")->lost);
  EXPECT_TRUE(remembers());
  take_away();
  follow();
  EXPECT_FALSE(remembers());
}

TEST_F(InterfaceMemoryTest, RemembersAnAbsentLink) {
  put_by_hand();
  followed_.set_twins({"wan"}, state_);
  const auto links = std::exchange(state_.links, {});
  take_away();
  follow();
  state_.links = links;
  follow();
  EXPECT_TRUE(remembers());
}

TEST_F(InterfaceMemoryTest, DoesNotRememberWhatOthersLookAfter) {
  state_.addresses[{7, ip("192.0.2.78"), 32}] = {.permanent = false};
  state_.addresses[{7, ip("192.0.2.79"), 32}] = {.protocol = kBallastProtocol, .permanent = true};
  state_.addresses[{7, ip("fe80::ff:fe00:1"), 64}] = {.permanent = true};
  for (const uint8_t protocol :
       {uint8_t{RTPROT_KERNEL}, uint8_t{RTPROT_RA}, uint8_t{RTPROT_BGP}, kBallastProtocol}) {
    state_.routes[{block("10.0.0.0/8"), protocol}] = {
        KernelRoute{.protocol = protocol, .hops = {{.link = 7}}}};
  }
  followed_.set_twins({"wan"}, state_);
  EXPECT_EQ(*followed_.of("wan"), RememberedInterface{});
  EXPECT_THAT(followed_.our_routes(), ElementsAre(RouteKey{block("10.0.0.0/8"), kBallastProtocol}));
}

}  // namespace
}  // namespace ballast::netlink
