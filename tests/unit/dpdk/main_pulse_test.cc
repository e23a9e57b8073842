#include "dataplane/dpdk/main_pulse.h"

#include <gtest/gtest.h>

namespace ballast {
namespace {

constexpr uint64_t kBegin = 1'000'000'000'000;
constexpr uint64_t kPatience = MainPulse::kPatienceNs;

struct Beating {
  std::atomic<uint64_t> heartbeat{0};
  MainPulse pulse{heartbeat};

  bool beats(uint64_t now_ns) {
    const uint64_t before = heartbeat;
    pulse.beat(now_ns);
    EXPECT_LE(heartbeat, before + 1);
    return heartbeat == before + 1;
  }
};

TEST(MainPulse, BeatsWhileTheMainThreadServesALongRequest) {
  Beating main;
  main.pulse.came_round(kBegin);
  for (uint64_t now = kBegin; now <= kBegin + kPatience; now += MainPulse::kPeriodNs) {
    EXPECT_TRUE(main.beats(now));
  }
}

TEST(MainPulse, StopsWhenTheMainThreadHangsAndGoesOnWhenItRunsAgain) {
  Beating main;
  main.pulse.came_round(kBegin);
  EXPECT_FALSE(main.beats(kBegin + kPatience + 1));
  EXPECT_FALSE(main.beats(kBegin + 100 * kPatience));
  main.pulse.came_round(kBegin + 100 * kPatience);
  EXPECT_TRUE(main.beats(kBegin + 100 * kPatience));
  EXPECT_TRUE(main.beats(kBegin + 100 * kPatience - 1)) << "the clock was read before";
}

TEST(MainPulse, BeatsByItselfUntilItIsStoppedAndMayBeStoppedTwice) {
  Beating main;
  main.pulse.start();
  while (main.heartbeat < 3) {
    std::this_thread::yield();
  }
  main.pulse.stop();
  const uint64_t last = main.heartbeat;
  main.pulse.stop();
  EXPECT_EQ(main.heartbeat, last);
  main.pulse.start();
  main.pulse.stop();
}

}  // namespace
}  // namespace ballast
