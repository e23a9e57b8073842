#include "vrrp/tracking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/vrrp/world.h"
#include "vrrp/failover_check.h"

namespace ballast::vrrp::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const TimePoint kStart{};

TEST(VrrpTracking, WhatIsNotKnownYetIsAFault) {
  Tracking tracking;
  tracking.set_things({{.name = "link wan"}, {.name = "script bgp", .weight = -30}});
  EXPECT_THAT(tracking.condition().faults,
              ElementsAre("link wan: not known yet", "script bgp: not known yet"));
}

TEST(VrrpTracking, TheFirstObservationDecidesAtOnce) {
  Tracking tracking;
  tracking.set_things({{.name = "script bgp", .rise = 3, .fall = 3, .up_delay = ms(1000)}});
  EXPECT_TRUE(tracking.observe(kStart, "script bgp", true, "exit 0"));
  EXPECT_EQ(tracking.condition(), Condition{});
}

TEST(VrrpTracking, WithoutWeightDownIsAFaultWithItsText) {
  Tracking tracking;
  tracking.set_things({{.name = "link wan"}});
  tracking.observe(kStart, "link wan", false, "no carrier");
  EXPECT_THAT(tracking.condition().faults, ElementsAre("link wan: no carrier"));
}

TEST(VrrpTracking, WeightsAddWhileUpOrSubtractWhileDown) {
  Tracking tracking;
  tracking.set_things({{.name = "a", .weight = 20}, {.name = "b", .weight = -50}});
  tracking.observe(kStart, "a", true, "");
  tracking.observe(kStart, "b", true, "");
  EXPECT_EQ(tracking.condition().priority_change, 20);
  tracking.observe(kStart, "a", false, "");
  tracking.observe(kStart, "b", false, "");
  EXPECT_EQ(tracking.condition().priority_change, -50);
  EXPECT_THAT(tracking.condition().faults, IsEmpty());
}

TEST(VrrpTracking, RiseAndFallCountObservationsInARow) {
  TrackedThing thing({.name = "script", .rise = 2, .fall = 3});
  thing.observe(kStart, true, "");
  EXPECT_FALSE(thing.observe(kStart, false, ""));
  EXPECT_FALSE(thing.observe(kStart, false, ""));
  EXPECT_FALSE(thing.observe(kStart, true, ""));
  EXPECT_FALSE(thing.observe(kStart, false, ""));
  EXPECT_FALSE(thing.observe(kStart, false, ""));
  EXPECT_TRUE(thing.observe(kStart, false, ""));
  EXPECT_FALSE(thing.observe(kStart, true, ""));
  EXPECT_TRUE(thing.observe(kStart, true, ""));
}

TEST(VrrpTracking, AFlapShorterThanTheDelayChangesNothing) {
  TrackedThing thing({.name = "link", .up_delay = ms(500), .down_delay = ms(100)});
  thing.observe(kStart, true, "");
  EXPECT_FALSE(thing.observe(kStart, false, ""));
  EXPECT_EQ(thing.deadline(), kStart + ms(100));
  EXPECT_FALSE(thing.observe(kStart + ms(50), true, ""));
  EXPECT_EQ(thing.deadline(), kNever);
  EXPECT_FALSE(thing.observe(kStart + ms(60), false, ""));
  EXPECT_FALSE(thing.tick(kStart + ms(159)));
  EXPECT_TRUE(thing.tick(kStart + ms(160)));
  EXPECT_FALSE(thing.observe(kStart + ms(200), true, ""));
  EXPECT_TRUE(thing.tick(kStart + ms(700)));
}

TEST(VrrpTracking, AReloadKeepsWhatIsKnown) {
  Tracking tracking;
  tracking.set_things({{.name = "link wan"}, {.name = "gone"}});
  tracking.observe(kStart, "link wan", true, "");
  tracking.set_things({{.name = "link wan", .weight = -10}});
  EXPECT_EQ(tracking.condition(), Condition{});
  EXPECT_FALSE(tracking.observe(kStart, "gone", false, ""));
}

// ---- what can never fail over ----

GroupSettings group(int priority, bool preempt) {
  GroupSettings settings = group_of(Priority{static_cast<uint8_t>(priority)}, ms(100));
  settings.preempt = preempt;
  return settings;
}

TEST(VrrpFailoverCheck, AFaultCanAlwaysMoveTheAddresses) {
  EXPECT_TRUE(check_failover(group(255, false), {{.name = "link"}}));
  EXPECT_TRUE(check_failover_to(group(100, false), {{.name = "link"}}, Priority{150}));
}

TEST(VrrpFailoverCheck, TheOwnerWithAWeightIsRefused) {
  const auto outcome = check_failover(group(255, true), {{.name = "a", .weight = -10}});
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error(), HasSubstr("always has priority 255"));
}

TEST(VrrpFailoverCheck, AWeightThatChangesNothingIsRefused) {
  EXPECT_FALSE(check_failover(group(254, false), {{.name = "a", .weight = 20}}));
  EXPECT_FALSE(check_failover(group(1, false), {{.name = "a", .weight = -20}}));
}

TEST(VrrpFailoverCheck, AWeightThatStaysAboveThePeerIsRefused) {
  EXPECT_FALSE(check_failover_to(group(150, true), {{.name = "a", .weight = -50}}, Priority{100}));
  EXPECT_TRUE(check_failover_to(group(150, true), {{.name = "a", .weight = -51}}, Priority{100}));
}

TEST(VrrpFailoverCheck, NoPreemptionWithAWeightOnTheLowerRouterIsRefusedWithAnExplanation) {
  const auto outcome =
      check_failover_to(group(100, false), {{.name = "a", .weight = -50}}, Priority{150});
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error(), HasSubstr("preempt = true"));
  EXPECT_TRUE(check_failover_to(group(100, true), {{.name = "a", .weight = -50}}, Priority{150}));
  EXPECT_TRUE(check_failover_to(group(100, false), {{.name = "a", .weight = -50}}, Priority{100}));
}

// ---- settings ----

std::string error_of(const GroupSettings& settings) {
  const auto outcome = validate(settings);
  return outcome ? "" : outcome.error();
}

TEST(VrrpSettings, SubSecondIntervalsAreRefusedInVersion2) {
  EXPECT_THAT(error_of(group_of(Priority{100}, ms(500), 1, Version::kV2)),
              HasSubstr("advert_interval: 500 ms: version 2 counts whole seconds"));
  EXPECT_EQ(error_of(group_of(Priority{100}, ms(2000), 1, Version::kV2)), "");
}

TEST(VrrpSettings, IntervalsOfVersion3AreCentiseconds) {
  EXPECT_EQ(error_of(group_of(Priority{100}, ms(10))), "");
  EXPECT_THAT(error_of(group_of(Priority{100}, ms(15))), HasSubstr("15 ms"));
  EXPECT_THAT(error_of(group_of(Priority{100}, ms(40'960))), HasSubstr("40.96 s"));
}

TEST(VrrpSettings, EveryMistakeIsNamed) {
  const auto with = [](const std::function<void(GroupSettings&)>& change) {
    GroupSettings settings = group_of(Priority{100}, ms(100), 2);
    change(settings);
    return error_of(settings);
  };
  EXPECT_EQ(with([](GroupSettings&) {}), "");
  EXPECT_THAT(with([](GroupSettings& it) { it.priority = kReleasing; }), HasSubstr("priority: 0"));
  EXPECT_THAT(with([](GroupSettings& it) { it.routers[0].key.id = VirtualRouterId{0}; }),
              HasSubstr("virtual_router_id: 0"));
  EXPECT_THAT(with([](GroupSettings& it) { it.routers[1].version = Version::kV2; }),
              HasSubstr("IPv6 needs version 3"));
  EXPECT_THAT(with([](GroupSettings& it) { it.routers[0].addresses.clear(); }),
              HasSubstr("addresses: 0 of them"));
  EXPECT_THAT(
      with([](GroupSettings& it) { it.routers[1].addresses = {*IpAddress::parse("2001:db8::1")}; }),
      HasSubstr("must be link-local"));
  EXPECT_THAT(with([](GroupSettings& it) { it.routers[1] = it.routers[0]; }),
              HasSubstr("twice on one interface"));
  EXPECT_THAT(with([](GroupSettings& it) { it.preempt_delay = ms(1); }),
              HasSubstr("has no effect with preempt = false"));
  EXPECT_THAT(with([](GroupSettings& it) {
                it.routers[0].unicast_peers = {multicast_group(Family::kIpv4)};
              }),
              HasSubstr("unicast_peers: 224.0.0.18"));
}

}  // namespace
}  // namespace ballast::vrrp::testing
