#include "healthcheck/check_schedule.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include <gmock/gmock.h>

namespace ballast::healthcheck {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1000s};

TEST(CheckSchedule, KeepsEveryIntervalWithinTheJitterAndTheMeanOnTheInterval) {
  for (const double jitter : {0.0, 0.1, 0.5}) {
    CheckSchedule schedule(2000ms, jitter, 7, true, kStart);
    std::chrono::nanoseconds sum{0};
    constexpr int kRounds = 20'000;
    TimePoint at = schedule.due();
    for (int round = 0; round < kRounds; ++round) {
      schedule.begin(at);
      const auto interval = schedule.due() - at;
      ASSERT_GE(interval, std::chrono::duration<double>(2.0 * (1 - jitter)) - 1us);
      ASSERT_LE(interval, std::chrono::duration<double>(2.0 * (1 + jitter)) + 1us);
      sum += interval;
      at = schedule.due();
    }
    EXPECT_NEAR(std::chrono::duration<double>(sum / kRounds).count(), 2.0, 0.02);
  }
}

TEST(CheckSchedule, SpreadsTheFirstChecksEvenly) {
  for (const bool may_wait : {true, false}) {
    std::array<int, 10> tenths{};
    const std::chrono::nanoseconds spread = may_wait ? 5000ms : CheckSchedule::kFirstSpread;
    for (uint64_t seed = 0; seed < 10'000; ++seed) {
      const CheckSchedule schedule(5000ms, 0.1, seed, may_wait, kStart);
      const auto after = schedule.due() - kStart;
      ASSERT_GE(after, 0ns);
      ASSERT_LT(after, spread);
      ++tenths[static_cast<size_t>(after * 10 / spread)];
    }
    for (const int count : tenths) {
      EXPECT_NEAR(count, 1000, 150);
    }
  }
}

TEST(CheckSchedule, NeverSpreadsTheFirstCheckBeyondTheInterval) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    EXPECT_LT(CheckSchedule(100ms, 0.1, seed, false, kStart).due() - kStart, 100ms);
  }
}

TEST(CheckSchedule, IsTheSameForTheSameSeedOnly) {
  CheckSchedule first(2000ms, 0.1, 1, true, kStart);
  CheckSchedule second(2000ms, 0.1, 1, true, kStart);
  CheckSchedule other(2000ms, 0.1, 2, true, kStart);
  EXPECT_NE(first.due(), other.due());
  for (int round = 0; round < 100; ++round) {
    ASSERT_EQ(first.due(), second.due());
    first.begin(first.due());
    second.begin(second.due());
  }
}

TEST(CheckSchedule, CountsFromTheBeginOfALateCheck) {
  CheckSchedule schedule(1000ms, 0, 1, true, kStart);
  schedule.begin(kStart + 10s);
  EXPECT_EQ(schedule.due(), kStart + 11s);
}

TEST(CheckSchedule, BreaksThousandsOfChecksOutOfStep) {
  std::set<TimePoint> dues;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    CheckSchedule schedule(1000ms, 0.1, seed, true, kStart);
    schedule.begin(kStart);
    dues.insert(schedule.due());
  }
  EXPECT_GT(dues.size(), 990U);
}

TEST(CheckSchedule, NeverSpinsWhateverTheSettings) {
  for (const double jitter : {-1.0, 0.0, 1.0, 1e300, std::numeric_limits<double>::quiet_NaN()}) {
    for (const auto interval : {-5ms, 0ms, 1ms}) {
      CheckSchedule schedule(interval, jitter, 1, true, kStart);
      for (int round = 0; round < 100; ++round) {
        schedule.begin(kStart);
        ASSERT_GE(schedule.due(), kStart + 5ms);
        ASSERT_LE(schedule.due(), kStart + 15ms);
      }
    }
  }
}

}  // namespace
}  // namespace ballast::healthcheck
