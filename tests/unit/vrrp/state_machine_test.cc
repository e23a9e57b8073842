// One test per sentence of RFC 9568 section 6.4 (RFC 3768 section 6.4), by its state and event, and
// of what operators and failures have taught.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/vrrp/one_router.h"

namespace ballast::vrrp::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

OneRouter backup(int priority, bool preempt = false, Version version = Version::kV3,
                 Duration interval = ms(100)) {
  GroupSettings settings = group_of(Priority{static_cast<uint8_t>(priority)}, interval, 1, version);
  settings.preempt = preempt;
  OneRouter router(settings);
  router.start();
  return router;
}

// Active since 360.9375 ms after its start: priority 100, 3 * 100 ms + 156 / 256 * 100 ms.
OneRouter active(int priority = 100) {
  return active_router(Priority{static_cast<uint8_t>(priority)});
}

// ---- timers, section 6.1 ----

TEST(VrrpTimers, SkewIsAFractionOfTheIntervalInVersion3) {
  EXPECT_EQ(skew_time(Version::kV3, Priority{100}, ms(1000)), us(609'375));
  EXPECT_EQ(active_down_interval(Version::kV3, Priority{100}, ms(1000)), us(3'609'375));
}

TEST(VrrpTimers, SkewIsAFractionOfASecondInVersion2) {
  EXPECT_EQ(skew_time(Version::kV2, Priority{100}, ms(5000)), us(609'375));
  EXPECT_EQ(active_down_interval(Version::kV2, Priority{100}, ms(5000)), us(15'609'375));
}

TEST(VrrpTimers, SkewTellsAllPrioritiesApartAtTenMilliseconds) {
  for (int priority = 1; priority < 255; ++priority) {
    EXPECT_GT(skew_time(Version::kV3, Priority{static_cast<uint8_t>(priority)}, ms(10)),
              skew_time(Version::kV3, Priority{static_cast<uint8_t>(priority + 1)}, ms(10)));
  }
}

TEST(VrrpTimers, ALearntIntervalIsClampedToTenTimesTheOwnOrTwoSeconds) {
  EXPECT_EQ(believed_interval(ms(40'950), ms(100)), ms(2000));
  EXPECT_EQ(believed_interval(ms(40'950), ms(1000)), ms(10'000));
  EXPECT_EQ(believed_interval(ms(500), ms(100)), ms(500));
}

TEST(VrrpTimers, TheLeaseEndsBeforeAnyBackupRisesThoughItsClockIsTenPercentSlow) {
  for (const Duration interval : {ms(10), ms(100), ms(1000)}) {
    EXPECT_LT(lease_duration(interval) * 11 / 10,
              active_down_interval(Version::kV3, kHighestPriority, interval));
  }
}

// ---- Initialize ----

TEST(VrrpInitialize, StartWithPriority255SendsAnAdvertAndBecomesActive) {
  OneRouter router(group_of(kAddressOwner, ms(100)));
  EXPECT_THAT(router.start(), ElementsAre("lease none", "INITIALIZE -> BACKUP", "BACKUP -> ACTIVE",
                                          "lease forward 240", "advert 255"));
  EXPECT_EQ(router.state(), State::kActive);
  EXPECT_THAT(router.tick(5), ElementsAre("lease full 240", "announce"));
  EXPECT_THAT(router.run_until(100), Contains("advert 255"));
}

TEST(VrrpInitialize, StartWithLessBecomesBackupWithItsOwnInterval) {
  OneRouter router(group_of(Priority{100}, ms(100)));
  EXPECT_THAT(router.start(), ElementsAre("lease none", "INITIALIZE -> BACKUP"));
  EXPECT_DOUBLE_EQ(router.deadline_ms(), 360.9375);
}

// ---- Backup ----

TEST(VrrpBackup, HoldsNoLeaseSoItAnswersAndForwardsNothing) {
  OneRouter router = backup(100);
  EXPECT_EQ(router.router().lease(OneRouter::at(1)), LeaseMode::kNone);
}

TEST(VrrpBackup, WhenActiveDownFiresItAdvertisesThenAnnouncesAndBecomesActive) {
  OneRouter router = backup(100);
  EXPECT_THAT(router.tick(361),
              ElementsAre("BACKUP -> ACTIVE", "lease full 601", "advert 100", "announce"));
}

TEST(VrrpBackup, PriorityZeroSetsActiveDownToSkew) {
  OneRouter router = backup(100);
  router.hears(50, 150);
  EXPECT_THAT(router.hears(100, 0), IsEmpty());
  EXPECT_DOUBLE_EQ(router.deadline_ms(), 100 + 60.9375);
  router.tick(161);
  EXPECT_EQ(router.state(), State::kActive);
  EXPECT_EQ(router.reason(), "192.0.2.11 released the addresses (priority 0)");
}

TEST(VrrpBackup, RepeatedPriorityZeroDoesNotKeepItFromRising) {
  OneRouter router = backup(100);
  router.hears(50, 150);
  for (int64_t at = 100; at < 160; at += 10) {
    router.hears(at, 0);
  }
  router.tick(161);
  EXPECT_EQ(router.state(), State::kActive);
}

TEST(VrrpBackup, AnAdvertOfAtLeastItsPriorityRestartsTheTimerWithTheLearntInterval) {
  for (const int priority : {100, 101, 255}) {
    OneRouter router = backup(100, true);
    router.hears(200, priority, 1, ms(200));
    EXPECT_DOUBLE_EQ(router.deadline_ms(), 200 + 600 + 0.609375 * 200);
  }
}

TEST(VrrpBackup, WithoutPreemptionALowerAdvertRestartsTheTimerToo) {
  OneRouter router = backup(100, false);
  router.hears(200, 50);
  EXPECT_DOUBLE_EQ(router.deadline_ms(), 560.9375);
}

TEST(VrrpBackup, WithPreemptionALowerAdvertIsDiscardedAndTheTimerRunsOn) {
  OneRouter router = backup(100, true);
  router.hears(200, 50);
  EXPECT_DOUBLE_EQ(router.deadline_ms(), 360.9375);
}

TEST(VrrpBackup, EqualPriorityKeepsThePresentActiveRouter) {
  OneRouter router = backup(100, true);
  for (int64_t at = 100; at < 5000; at += 100) {
    router.hears(at, 100, 9);
  }
  EXPECT_EQ(router.state(), State::kBackup);
}

TEST(VrrpBackup, Version2UsesItsOwnInterval) {
  OneRouter router = backup(100, false, Version::kV2, ms(1000));
  router.hears(200, 150, 1, ms(3000));
  EXPECT_DOUBLE_EQ(router.deadline_ms(), 200 + 3000 + 609.375);
}

TEST(VrrpBackup, AForgedIntervalOf40SecondsSilencesItForTwoSecondsTimesThreeAtMost) {
  OneRouter router = backup(100);
  router.hears(0, 200, 1, ms(40'950));
  EXPECT_DOUBLE_EQ(router.deadline_ms(), 3 * 2000 + 0.609375 * 2000);
}

// ---- Active ----

TEST(VrrpActive, TheAdvertTimerSendsAnAdvertAndRenewsTheLeaseBeforeIt) {
  OneRouter router = active();
  EXPECT_THAT(router.with(460, [](RouterGroup&, TimePoint, Actions&) {}), IsEmpty());
  router.run_until(460);  // announcements
  EXPECT_THAT(router.tick(461), Contains("advert 100"));
  const auto done = router.tick(561);
  EXPECT_THAT(done, ElementsAre("lease full 801", "advert 100"));
}

TEST(VrrpActive, ALateAdvertDoesNotDelayTheOnesAfterIt) {
  OneRouter router = active();
  router.run_until(400);
  router.tick(500);  // due at 460.9375
  router.run_until(559);
  EXPECT_DOUBLE_EQ(router.deadline_ms(), 560.9375);
  EXPECT_EQ(router.router().statistics().largest_lateness, us(39'062) + Duration{500});
}

TEST(VrrpActive, PriorityZeroIsAnsweredByAnAdvertAndItStays) {
  OneRouter router = active();
  EXPECT_THAT(router.hears(400, 0), ElementsAre("lease full 640", "advert 100"));
  EXPECT_EQ(router.state(), State::kActive);
}

TEST(VrrpActive, AHigherAdvertMakesItBackupWithTheLearntIntervalAndEndsTheLeaseFirst) {
  OneRouter router = active();
  EXPECT_THAT(router.hears(380, 101, 1, ms(200)), ElementsAre("lease none", "ACTIVE -> BACKUP"));
  EXPECT_DOUBLE_EQ(router.deadline_ms(), 380 + 600 + 0.609375 * 200);
  EXPECT_EQ(router.reason(), "192.0.2.11 is active with priority 101, above 100 here");
}

TEST(VrrpActive, AnEqualAdvertOfAGreaterAddressMakesItBackup) {
  OneRouter router = active();
  router.hears(400, 100, 9);
  EXPECT_EQ(router.state(), State::kBackup);
}

TEST(VrrpActive, AnEqualAdvertOfALowerAddressIsAnsweredAtOnce) {
  OneRouter router = active();
  EXPECT_THAT(router.hears(400, 100, 1), Contains("advert 100"));
  EXPECT_EQ(router.state(), State::kActive);
}

TEST(VrrpActive, PreemptModeIsNotConsulted) {
  OneRouter router = active_router(Priority{100}, ms(100), false);
  router.hears(400, 200);
  EXPECT_EQ(router.state(), State::kBackup);
}

TEST(VrrpActive, ALowerAdvertIsDiscardedAndAnsweredAtOnce) {
  OneRouter router = active();
  EXPECT_THAT(router.hears(400, 50), ElementsAre("report", "lease full 640", "advert 100"));
  EXPECT_EQ(router.state(), State::kActive);
}

TEST(VrrpActive, AFloodOfLowerAdvertsIsNotAmplified) {
  OneRouter router = active();
  size_t sent = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto done = router.hears(400 + i / 100, 50);
    sent += static_cast<size_t>(std::ranges::count(done, "advert 100"));
  }
  EXPECT_EQ(sent, 1U);
}

// ---- shut down ----

TEST(VrrpShutdown, ActiveEndsItsLeaseThenReleasesWithPriorityZero) {
  OneRouter router = active();
  EXPECT_THAT(router.stop(), ElementsAre("lease none", "advert 0", "ACTIVE -> INITIALIZE"));
}

TEST(VrrpShutdown, BackupGoesWithoutAWord) {
  OneRouter router = backup(100);
  EXPECT_THAT(router.stop(), ElementsAre("BACKUP -> INITIALIZE"));
  EXPECT_EQ(router.group.deadline(), kNever);
}

// ---- no preemption protects a healthy active router only ----

TEST(VrrpNoPreemption, AReturningRouterOfHigherPriorityLeavesAHealthyOneAlone) {
  OneRouter router = backup(200);
  for (int64_t at = 50; at < 5000; at += 100) {
    router.hears(at, 100);
  }
  EXPECT_EQ(router.state(), State::kBackup);
}

TEST(VrrpNoPreemption, ARouterWhosePriorityFallsBelowIsDeposed) {
  OneRouter router = backup(100);
  int64_t at = 50;
  for (; at < 1000; at += 100) {
    router.hears(at, 150);
  }
  for (; at < 1400 && router.state() == State::kBackup; at += 100) {
    router.run_until(at);
    router.hears(at, 90);
  }
  EXPECT_EQ(router.state(), State::kActive);
  EXPECT_EQ(router.reason(), "the priority of 192.0.2.11 fell from 150 to 90, below 100 here");
}

TEST(VrrpNoPreemption, AFallThatStaysAtLeastItsOwnPriorityDeposesNobody) {
  OneRouter router = backup(100);
  for (int64_t at = 50; at < 5000; at += 100) {
    router.hears(at, at < 1000 ? 150 : 100);
  }
  EXPECT_EQ(router.state(), State::kBackup);
}

TEST(VrrpNoPreemption, AFallOfOneThatWasAlwaysBelowDeposesNobody) {
  OneRouter router = backup(100);
  for (int64_t at = 50; at < 5000; at += 100) {
    router.hears(at, at < 1000 ? 90 : 40);
  }
  EXPECT_EQ(router.state(), State::kBackup);
}

TEST(VrrpNoPreemption, ARiseOfItsOwnPriorityDeposesNobody) {
  OneRouter router = backup(150);
  router.change_priority(10, -60);
  for (int64_t at = 50; at < 5000; at += 100) {
    if (at == 950) {
      router.change_priority(at - 1, 0);
    }
    router.hears(at, 100);
  }
  EXPECT_EQ(router.state(), State::kBackup);
}

TEST(VrrpNoPreemption, OneWhosePriorityRecoversInTimeIsLeftAlone) {
  OneRouter router = backup(100);
  router.hears(50, 150);
  router.hears(150, 90);
  for (int64_t at = 250; at < 5000; at += 100) {
    router.hears(at, 150);
  }
  EXPECT_EQ(router.state(), State::kBackup);
}

TEST(VrrpNoPreemption, TheOwnerAlwaysPreempts) {
  OneRouter router(group_of(kAddressOwner, ms(100)));
  router.start();
  EXPECT_EQ(router.state(), State::kActive);
}

TEST(VrrpPreemptDelay, CountsFromTheFirstLowerAdvertAndThenTheTimerRunsOn) {
  GroupSettings settings = group_of(Priority{200}, ms(100));
  settings.preempt = true;
  settings.preempt_delay = ms(2000);
  OneRouter router(settings);
  router.start();
  int64_t at = 50;
  for (; router.state() == State::kBackup && at < 10'000; at += 100) {
    router.run_until(at);
    router.hears(at, 100);
  }
  EXPECT_GE(at, 2050 + 200);
  EXPECT_LE(at, 2050 + 600);
  EXPECT_EQ(router.reason(), "preempts 192.0.2.11, whose priority 100 is below 200 here");
}

// ---- announcing ----

TEST(VrrpAnnouncement, RoundsComeAt0And5And20And100MillisecondsAndOneSecondAndAreRefreshed) {
  AnnouncementSchedule schedule;
  schedule.set_refresh(std::chrono::seconds{60});
  schedule.start(OneRouter::at(0), AnnouncementSchedule::From::kAtOnce);
  std::vector<int64_t> rounds;
  while (rounds.size() < 7) {
    const TimePoint due = schedule.deadline();
    ASSERT_FALSE(schedule.take_due(due - us(1)));
    ASSERT_TRUE(schedule.take_due(due));
    rounds.push_back((due - OneRouter::at(0)) / ms(1));
  }
  EXPECT_THAT(rounds, ElementsAre(0, 5, 20, 100, 1000, 61'000, 121'000));
}

TEST(VrrpAnnouncement, APreemptorAnswersAndAnnouncesFiveMillisecondsAfterItsFirstAdvert) {
  OneRouter router = backup(200, true);
  for (const int64_t at : {50, 150, 250}) {
    router.run_until(at);
    EXPECT_THAT(router.hears(at, 100), IsEmpty()) << at;
  }
  // The lower one is alive: the moment is its next advert, since then it hears that it is deposed.
  EXPECT_THAT(router.run_until(349), IsEmpty());  // 321.875 ms have passed
  EXPECT_THAT(router.hears(350, 100),
              ElementsAre("BACKUP -> ACTIVE", "lease forward 590", "advert 200"));
  EXPECT_THAT(router.tick(355), ElementsAre("lease full 590", "announce"));
}

TEST(VrrpAnnouncement, RoundsThatWereMissedAreNotMadeUpFor) {
  AnnouncementSchedule schedule;
  schedule.start(OneRouter::at(0), AnnouncementSchedule::From::kAtOnce);
  EXPECT_TRUE(schedule.take_due(OneRouter::at(50)));
  EXPECT_EQ(schedule.deadline(), OneRouter::at(100));
}

TEST(VrrpAnnouncement, TheWinnerAnnouncesAgainAfterTwoWereActive) {
  OneRouter router = active();
  router.run_until(10'000);
  const auto done = router.hears(10'001, 50);
  EXPECT_THAT(done, Contains("report"));
  EXPECT_THAT(router.tick(10'006), Contains("announce"));
}

TEST(VrrpAnnouncement, ARivalThatGoesOnCostsOneSetOfRoundsPerSecond) {
  OneRouter router = active();
  size_t rounds = 0;
  const auto count = [&rounds](const std::vector<std::string>& done) {
    rounds += static_cast<size_t>(std::ranges::count(done, "announce"));
  };
  for (int64_t at = 1500; at < 11'500; at += 10) {
    count(router.run_until(at));
    count(router.hears(at, 50));
  }
  EXPECT_LE(rounds, 4 * 11U);
  EXPECT_GE(rounds, 4 * 8U);
}

// ---- both active ----

TEST(VrrpBothActive, IsCountedInMillisecondsAndReported) {
  OneRouter router = active();
  router.run_until(1000);
  router.hears(1001, 50);
  router.run_until(1100);
  router.hears(1101, 50);
  router.run_until(5000);
  const BothActiveCount count = router.router().statistics().both_active;
  EXPECT_EQ(count.episodes, 1U);
  EXPECT_EQ(count.total, ms(100));
}

TEST(VrrpBothActive, AnEpisodeHeardOnceLastsAMillisecond) {
  OneRouter router = active();
  router.run_until(1000);
  router.hears(1001, 50);
  router.run_until(5000);
  EXPECT_EQ(router.router().statistics().both_active.total, ms(1));
}

// Hosts have learnt the loser's own MAC, or switches that hear no adverts the port of the virtual
// one: only the winner can tell them, and only if it knows.
TEST(VrrpBothActive, TheLoserLetsTheWinnerKnowThatThereWereTwo) {
  const auto loser_says = [](bool virtual_mac, int64_t when) {
    OneRouter router = active_router(Priority{100});
    GroupSettings settings = router.group.settings();
    settings.routers.front().virtual_mac = virtual_mac;
    router.with(600, [&settings](RouterGroup& group, TimePoint now, Actions& actions) {
      group.set_settings(now, settings, {{settings.routers[0].key, node_address(5, Family::kIpv4)}},
                         actions);
    });
    router.run_until(when - 1);
    return router.hears(when, 150);
  };
  for (const bool virtual_mac : {false, true}) {
    EXPECT_THAT(loser_says(virtual_mac, 1001),
                ElementsAre("lease full 1241", "advert 100", "lease none", "ACTIVE -> BACKUP"));
  }
  // Its last advert is of 1061 ms; what it hears soon after may be the answer.
  EXPECT_THAT(loser_says(false, 1071),
              ElementsAre("lease full 1311", "advert 100", "lease none", "ACTIVE -> BACKUP"));
  EXPECT_THAT(loser_says(true, 1071), ElementsAre("lease none", "ACTIVE -> BACKUP"))
      << "it would take the switches back for longer than a moment";
}

TEST(VrrpBothActive, AReleaseThatAnActiveRouterHearsMayBeOfOneThatWasActiveToo) {
  OneRouter router = active();
  router.run_until(3000);
  router.hears(3001, 0);
  const std::vector<std::string> done = router.run_until(3050);
  EXPECT_EQ(std::ranges::count(done, "announce"), 2);  // at +5 and +20 ms
}

// ---- freezes ----

TEST(VrrpFreeze, AThawedActiveRouterListensBeforeItAssertsItself) {
  OneRouter router = active();
  router.run_until(1000);
  EXPECT_THAT(router.tick(6000), ElementsAre("lease none", "drop backlog", "ACTIVE -> BACKUP"));
  EXPECT_THAT(router.run_until(6099), IsEmpty());
  EXPECT_THAT(router.hears(6100, 50), IsEmpty());  // the one that took over meanwhile
  EXPECT_EQ(router.state(), State::kBackup);
}

TEST(VrrpFreeze, AThawedActiveRouterAssertsItselfWhenNobodyIsThere) {
  OneRouter router = active();
  router.run_until(1000);
  router.tick(6000);
  router.run_until(6400);
  EXPECT_EQ(router.state(), State::kActive);
}

TEST(VrrpFreeze, ThresholdIsTwoIntervalsAndSkewAfterTheLastAdvert) {
  for (const auto& [late_ms, is_frozen] : {std::pair{260, false}, std::pair{262, true}}) {
    OneRouter router = active();
    router.run_until(961);  // advert at 960.9375
    const auto done = router.tick(961 + late_ms);
    EXPECT_EQ(router.state(), is_frozen ? State::kBackup : State::kActive) << late_ms;
  }
}

TEST(VrrpFreeze, AnAdvertThatWaitedMeanwhileIsNotHeeded) {
  OneRouter router = active();
  router.run_until(1000);
  EXPECT_THAT(router.hears(6000, 0), Not(Contains("advert 100")));
  EXPECT_EQ(router.state(), State::kBackup);
}

TEST(VrrpFreeze, ALateBackupListensOnceBeforeItRises) {
  OneRouter router = backup(100);
  router.hears(50, 150);
  EXPECT_THAT(router.tick(5000), ElementsAre("drop backlog", "report"));
  EXPECT_EQ(router.state(), State::kBackup);
  router.tick(8000);
  EXPECT_EQ(router.state(), State::kActive);
}

// ---- faults, priorities, reload ----

TEST(VrrpFault, EndsTheLeaseThenReleasesAndTakesPartAgainWhenGone) {
  OneRouter router = active();
  EXPECT_THAT(router.fault(400, "link wan: down"),
              ElementsAre("lease none", "advert 0", "ACTIVE -> FAULT"));
  EXPECT_EQ(router.reason(), "link wan: down");
  EXPECT_THAT(router.fault(1000, ""), Contains("FAULT -> BACKUP"));
  EXPECT_DOUBLE_EQ(router.deadline_ms(), 1360.9375);
}

TEST(VrrpFault, ARouterThatIsNotReadyTakesNoPartThoughItIsStarted) {
  OneRouter router(group_of(kAddressOwner, ms(100)));
  router.fault(0, "health checks have not run");
  EXPECT_THAT(router.start(), ElementsAre("INITIALIZE -> FAULT"));
  EXPECT_EQ(router.group.deadline(), kNever);
}

TEST(VrrpFault, ALongerIntervalHeardInFaultCountsAfterwards) {
  OneRouter router = backup(100);
  router.fault(10, "link wan: down");
  router.hears(100, 150, 1, ms(1000));
  router.fault(200, "");
  EXPECT_DOUBLE_EQ(router.deadline_ms(), 200 + 3609.375);
}

TEST(VrrpPriority, AChangeIsAdvertisedSoonButNotAtAnyRate) {
  OneRouter router = active();
  router.run_until(2000);  // last advert at 1960.9375
  router.change_priority(2000, -20);
  EXPECT_THAT(router.tick(2000), Contains("advert 80"));
  router.change_priority(2001, -10);
  EXPECT_THAT(router.tick(2001), IsEmpty());
  EXPECT_THAT(router.run_until(2025), Contains("advert 90"));
}

TEST(VrrpPriority, StaysBetween1And254AndTheOwnersIsNeverChanged) {
  OneRouter router = backup(100);
  router.change_priority(1, -500);
  EXPECT_EQ(router.group.priority(), Priority{1});
  router.change_priority(1, 500);
  EXPECT_EQ(router.group.priority(), Priority{254});
  OneRouter owner(group_of(kAddressOwner, ms(100)));
  owner.change_priority(0, -100);
  EXPECT_EQ(owner.group.priority(), kAddressOwner);
}

TEST(VrrpReload, RestartsNoTimerAndMovesNothing) {
  OneRouter router = active();
  router.run_until(2000);
  const double deadline = router.deadline_ms();
  GroupSettings settings = router.group.settings();
  settings.preempt = true;
  const auto done = router.with(2010, [&](RouterGroup& group, TimePoint now, Actions& actions) {
    group.set_settings(now, settings, {{settings.routers[0].key, node_address(5, Family::kIpv4)}},
                       actions);
  });
  EXPECT_THAT(done, IsEmpty());
  EXPECT_DOUBLE_EQ(router.deadline_ms(), deadline);
}

TEST(VrrpReload, AddedAddressesAreAdvertisedAndAnnounced) {
  OneRouter router = active();
  router.run_until(2000);
  GroupSettings settings = router.group.settings();
  settings.routers[0].addresses.push_back(*IpAddress::parse("192.0.2.101"));
  router.with(2010, [&](RouterGroup& group, TimePoint now, Actions& actions) {
    group.set_settings(now, settings, {{settings.routers[0].key, node_address(5, Family::kIpv4)}},
                       actions);
  });
  EXPECT_THAT(router.tick(2010), ElementsAre("announce"));
  EXPECT_EQ(router.state(), State::kActive);
}

TEST(VrrpReload, ALongerIntervalIsAnnouncedBeforeItIsUsed) {
  OneRouter router = active();
  router.run_until(1970);  // next advert at 2060.9375
  GroupSettings settings = router.group.settings();
  settings.routers[0].advert_interval = ms(1000);
  router.with(1980, [&](RouterGroup& group, TimePoint now, Actions& actions) {
    group.set_settings(now, settings, {{settings.routers[0].key, node_address(5, Family::kIpv4)}},
                       actions);
  });
  EXPECT_DOUBLE_EQ(router.deadline_ms(), 2060.9375);
  EXPECT_THAT(router.tick(2061), ElementsAre("lease full 4461", "advert 100"));
}

// ---- planned moves and restarts ----

TEST(VrrpPlannedMove, MutesAtOnceAndForwardsUntilTheNewActiveRouterIsHeard) {
  OneRouter router = active();
  const auto move = [](RouterGroup& group, TimePoint now, Actions& actions) {
    EXPECT_TRUE(group.move_away(now, actions));
  };
  EXPECT_THAT(router.with(400, move),
              ElementsAre("lease forward 760.938", "advert 0", "ACTIVE -> BACKUP"));
  EXPECT_TRUE(router.group.is_moving(OneRouter::at(401)));
  EXPECT_THAT(router.hears(461, 50), ElementsAre("lease none"));
  EXPECT_FALSE(router.group.is_moving(OneRouter::at(462)));
}

TEST(VrrpPlannedMove, DoesNotPreemptBackUntilReleased) {
  OneRouter router = active_router(Priority{200}, ms(100), true);
  router.with(400, [](RouterGroup& group, TimePoint now, Actions& actions) {
    group.move_away(now, actions);
  });
  int64_t at = 450;
  for (; at < 5000; at += 100) {
    router.run_until(at);
    router.hears(at, 100);
  }
  EXPECT_EQ(router.state(), State::kBackup);
  router.with(
      at, [](RouterGroup& group, TimePoint now, Actions& actions) { group.release(now, actions); });
  for (; at < 6000; at += 100) {
    router.run_until(at);
    router.hears(at, 100);
  }
  EXPECT_EQ(router.state(), State::kActive);
}

TEST(VrrpPlannedMove, IsTakenBackWhenNobodyElseIsThere) {
  OneRouter router = active();
  router.with(400, [](RouterGroup& group, TimePoint now, Actions& actions) {
    group.move_away(now, actions);
  });
  const auto done = router.run_until(800);
  EXPECT_THAT(done, Contains("BACKUP -> ACTIVE"));
  EXPECT_FALSE(router.group.is_held());
}

TEST(VrrpPlannedRestart, AnnouncesALongerIntervalThreeTimesWithALeaseToMatch) {
  OneRouter router = active();
  router.run_until(1970);
  auto done = router.with(1980, [](RouterGroup& group, TimePoint now, Actions& actions) {
    group.prepare_restart(now, ms(2000), actions);
  });
  EXPECT_THAT(done, ElementsAre("lease full 3996", "advert 100"));  // 2.4 * 840 ms
  done = router.run_until(2050);
  EXPECT_EQ(std::ranges::count(done, "advert 100"), 2);
  EXPECT_EQ(done.back(), "prepared 4036");
  EXPECT_EQ(router.router().announced_interval(), ms(840));
}

TEST(VrrpPlannedRestart, StaysWithinWhatPeersBelieve) {
  OneRouter router = active();
  router.with(400, [](RouterGroup& group, TimePoint now, Actions& actions) {
    group.prepare_restart(now, std::chrono::minutes{5}, actions);
  });
  EXPECT_EQ(router.router().announced_interval(), ms(2000));
}

TEST(VrrpPlannedRestart, HasTheTimeOfAnOrdinaryLeaseInVersion2) {
  OneRouter router(group_of(Priority{100}, ms(1000), 1, Version::kV2));
  router.start();
  router.run_until(3700);
  auto done = router.with(3800, [](RouterGroup& group, TimePoint now, Actions& actions) {
    group.prepare_restart(now, ms(4000), actions);
  });
  EXPECT_THAT(done, ElementsAre("lease full 6200", "advert 100"));
  done = router.run_until(3900);
  EXPECT_EQ(done.back(), "prepared 6240");
  EXPECT_EQ(router.router().announced_interval(), ms(1000));
}

TEST(VrrpPlannedRestart, TheNextProcessGoesOnWithTheOrdinaryInterval) {
  OneRouter router(group_of(Priority{100}, ms(100)));
  const auto done = router.with(
      0, [](RouterGroup& group, TimePoint now, Actions& actions) { group.adopt(now, actions); });
  EXPECT_THAT(
      done, ElementsAre("INITIALIZE -> ACTIVE", "lease full 240", "lease full 240", "advert 100"));
}

// ---- groups ----

OneRouter both_families(int priority, bool preempt = false) {
  GroupSettings settings = group_of(Priority{static_cast<uint8_t>(priority)}, ms(100), 2);
  settings.preempt = preempt;
  OneRouter router(settings);
  router.start();
  return router;
}

TEST(VrrpGroup, RisesTogether) {
  OneRouter router = both_families(100);
  router.run_until(361);
  EXPECT_EQ(router.group.routers()[0].state(), State::kActive);
  EXPECT_EQ(router.group.routers()[1].state(), State::kActive);
}

TEST(VrrpGroup, DoesNotRiseWhileOneMemberHearsTheActiveRouter) {
  OneRouter router = both_families(100);
  for (int64_t at = 50; at < 5000; at += 100) {
    router.run_until(at);
    router.hears(at, 150, 1, {}, Family::kIpv6);
  }
  EXPECT_EQ(router.state(), State::kBackup);
  router.run_until(5400);
  EXPECT_EQ(router.state(), State::kActive);
}

TEST(VrrpGroup, OneMemberThatYieldsTakesAllWithIt) {
  OneRouter router = both_families(100);
  router.run_until(361);
  const auto done = router.hears(380, 150, 1, {}, Family::kIpv6);
  EXPECT_THAT(done,
              ElementsAre("lease none", "ACTIVE -> BACKUP", "lease none", "ACTIVE -> BACKUP"));
  EXPECT_THAT(router.run_until(384), IsEmpty());
  EXPECT_THAT(router.run_until(386), ElementsAre("advert 0"))
      << "nobody better is heard there: whoever it is may take the addresses at once";
}

TEST(VrrpGroup, AllMembersLetTheWinnerKnowThatThereWereTwo) {
  OneRouter router = both_families(100);
  router.run_until(361);
  EXPECT_THAT(router.hears(400, 150, 1, {}, Family::kIpv6),
              ElementsAre("lease full 640", "advert 100", "lease none", "ACTIVE -> BACKUP",
                          "lease full 640", "advert 100", "lease none", "ACTIVE -> BACKUP"));
}

TEST(VrrpGroup, AMemberThatFollowsSaysNoReleaseBehindTheBetterAdvertOfItsOwn) {
  OneRouter router = both_families(100);
  router.run_until(361);
  router.hears(400, 150, 1, {}, Family::kIpv6);
  router.hears(401, 150, 1, {}, Family::kIpv4);
  EXPECT_THAT(router.run_until(600), IsEmpty()) << "it would call the switches back";
}

TEST(VrrpGroup, OneFaultTakesAll) {
  OneRouter router = both_families(100);
  router.run_until(361);
  router.fault(400, "service web: 1 of 2 servers");
  for (const VirtualRouter& member : router.group.routers()) {
    EXPECT_EQ(member.state(), State::kFault);
  }
}

TEST(VrrpGroup, ATieIsDecidedByTheFirstMember) {
  OneRouter router = both_families(100);
  router.run_until(361);
  // By its IPv6 address node 1 is greater than node 5, by its IPv4 address it is not.
  router.hears(400, 100, 1, {}, Family::kIpv6);
  router.hears(400, 100, 1, {}, Family::kIpv4);
  EXPECT_EQ(router.state(), State::kActive);
  router.hears(401, 100, 9, {}, Family::kIpv4);
  EXPECT_EQ(router.state(), State::kBackup);
}

TEST(VrrpGroup, ATieThatLastsIsDecidedByAnother) {
  OneRouter router = both_families(100);
  router.run_until(361);
  for (int64_t at = 400; at < 900; at += 100) {
    router.run_until(at);
    router.hears(at, 100, 1, {}, Family::kIpv6);
  }
  EXPECT_EQ(router.state(), State::kBackup);
}

TEST(VrrpGroup, AMemberThatIsAddedRisesWithoutAMoveOfTheOthers) {
  OneRouter router = active();
  router.run_until(1000);
  const GroupSettings both = group_of(Priority{100}, ms(100), 2);
  router.with(1001, [&](RouterGroup& group, TimePoint now, Actions& actions) {
    group.set_settings(now, both,
                       {{both.routers[0].key, node_address(5, Family::kIpv4)},
                        {both.routers[1].key, node_address(5, Family::kIpv6)}},
                       actions);
  });
  EXPECT_EQ(router.group.routers()[0].state(), State::kActive);
  router.run_until(1400);
  EXPECT_EQ(router.state(), State::kActive);
  EXPECT_EQ(router.group.routers()[0].statistics().left_active, 0U);
}

TEST(VrrpGroup, AMemberWithoutAnAddressToSendFromIsAFault) {
  const GroupSettings settings = group_of(Priority{100}, ms(100));
  RouterGroup group(settings, {}, {});
  Actions actions;
  group.start(OneRouter::at(0), actions);
  EXPECT_EQ(group.state(), State::kFault);
  EXPECT_EQ(group.fault_text(),
            "the interface has no IPv4 address to send the adverts of 51/IPv4 "
            "from");
  group.set_own_addresses(OneRouter::at(1),
                          {{settings.routers[0].key, node_address(5, Family::kIpv4)}}, actions);
  EXPECT_EQ(group.state(), State::kBackup);
}

}  // namespace
}  // namespace ballast::vrrp::testing
