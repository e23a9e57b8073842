#include "healthcheck/health_state.h"

#include <random>
#include <vector>

#include <gmock/gmock.h>

namespace ballast::healthcheck {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1000s};

CheckResult good() {
  return {Verdict::kHealthy, "good"};
}
CheckResult bad() {
  return {Verdict::kUnhealthy, "bad"};
}
CheckResult own() {
  return {Verdict::kInconclusive, "own"};
}

TEST(HealthState, TakesTheFirstConclusiveResultForTruthWhenUnknown) {
  for (const uint32_t needed : {1U, 2U, 7U}) {
    HealthState up(needed, needed, Health::kUnknown, kStart);
    EXPECT_EQ(up.health(), Health::kUnknown);
    EXPECT_EQ(up.observe(own(), kStart + 1s), std::nullopt);
    EXPECT_EQ(up.observe(good(), kStart + 2s), Health::kUp);
    EXPECT_EQ(up.since(), kStart + 2s);
    HealthState down(needed, needed, Health::kUnknown, kStart);
    EXPECT_EQ(down.observe(own(), kStart + 1s), std::nullopt);
    EXPECT_EQ(down.observe(bad(), kStart + 3s), Health::kDown);
    EXPECT_EQ(down.since(), kStart + 3s);
  }
}

TEST(HealthState, NeedsFallFailuresInARowToFallAndRiseSuccessesToRise) {
  for (uint32_t rise = 1; rise < 6; ++rise) {
    for (uint32_t fall = 1; fall < 6; ++fall) {
      HealthState state(rise, fall, Health::kUp, kStart);
      for (uint32_t count = 1; count < fall; ++count) {
        EXPECT_EQ(state.observe(bad(), kStart + 1s), std::nullopt);
        EXPECT_EQ(state.contrary_run(), count);
      }
      EXPECT_EQ(state.observe(bad(), kStart + 2s), Health::kDown);
      EXPECT_EQ(state.since(), kStart + 2s);
      for (uint32_t count = 1; count < rise; ++count) {
        EXPECT_EQ(state.observe(good(), kStart + 3s), std::nullopt);
        EXPECT_EQ(state.contrary_run(), count);
      }
      EXPECT_EQ(state.observe(good(), kStart + 4s), Health::kUp);
      EXPECT_EQ(state.since(), kStart + 4s);
      EXPECT_EQ(state.counts(), (HealthCounts{rise, fall, 0, 2}));
    }
  }
}

TEST(HealthState, NeverFlipsForRunsShorterThanRiseAndFall) {
  std::mt19937 random(2);
  for (const Health initial : {Health::kUp, Health::kDown}) {
    HealthState state(4, 5, initial, kStart);
    for (int round = 0; round < 10'000; ++round) {
      const bool up = initial == Health::kUp;
      const auto contrary = static_cast<uint32_t>(random() % (up ? 5 : 4));
      for (uint32_t count = 0; count < contrary; ++count) {
        ASSERT_EQ(state.observe(up ? bad() : good(), kStart + 1s), std::nullopt);
      }
      ASSERT_EQ(state.observe(up ? good() : bad(), kStart + 1s), std::nullopt);
    }
    EXPECT_EQ(state.health(), initial);
    EXPECT_EQ(state.since(), kStart);
    EXPECT_EQ(state.counts().flips, 0U);
  }
}

// The slow reference: keep all conclusive results, look back from the end.
Health reference(const std::vector<bool>& results, uint32_t rise, uint32_t fall, Health before) {
  if (before == Health::kUnknown) {
    return results.back() ? Health::kUp : Health::kDown;
  }
  const uint32_t needed = before == Health::kUp ? fall : rise;
  const bool contrary = before == Health::kDown;
  if (results.size() < needed) {
    return before;
  }
  for (uint32_t back = 1; back <= needed; ++back) {
    if (results[results.size() - back] != contrary) {
      return before;
    }
  }
  return contrary ? Health::kUp : Health::kDown;
}

TEST(HealthState, AgreesWithALookBackOverAllResults) {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    const auto rise = static_cast<uint32_t>(1 + random() % 5);
    const auto fall = static_cast<uint32_t>(1 + random() % 5);
    const auto initial = static_cast<Health>(random() % 3);
    HealthState state(rise, fall, initial, kStart);
    std::vector<bool> results;
    Health expected = initial;
    TimePoint since = kStart;
    TimePoint at = kStart;
    for (int step = 0; step < 60; ++step) {
      at += std::chrono::milliseconds(random() % 3000);
      if (random() % 5 == 0) {
        ASSERT_EQ(state.observe(own(), at), std::nullopt);
        ASSERT_EQ(state.last_text(), "own");
      } else {
        results.push_back(random() % 2 == 0);
        const Health next = reference(results, rise, fall, expected);
        const auto flip = state.observe(results.back() ? good() : bad(), at);
        ASSERT_EQ(flip, next == expected ? std::nullopt : std::optional(next));
        since = next == expected ? since : at;
        expected = next;
      }
      ASSERT_EQ(state.health(), expected);
      ASSERT_EQ(state.since(), since);
    }
    const auto& counts = state.counts();
    ASSERT_EQ(counts.healthy + counts.unhealthy + counts.inconclusive, 60U);
  }
}

TEST(HealthState, DoesNotTakeInconclusiveResultsForEvidenceEitherWay) {
  HealthState state(2, 2, Health::kUp, kStart);
  state.observe(bad(), kStart + 1s);
  for (int round = 0; round < 100; ++round) {
    EXPECT_EQ(state.observe(own(), kStart + 2s), std::nullopt);
  }
  EXPECT_EQ(state.counts().inconclusive, 100U);
  EXPECT_EQ(state.observe(bad(), kStart + 3s), Health::kDown);
}

TEST(HealthState, KeepsHealthAndSinceWhenTheCheckChanges) {
  HealthState state(2, 3, Health::kDown, kStart);
  state.observe(good(), kStart + 1s);
  state.restart(2, 2);
  EXPECT_EQ(state.health(), Health::kDown);
  EXPECT_EQ(state.since(), kStart);
  EXPECT_EQ(state.observe(good(), kStart + 2s), std::nullopt);
  EXPECT_EQ(state.observe(good(), kStart + 3s), Health::kUp);
}

TEST(HealthState, TakesAZeroRiseOrFallForOne) {
  HealthState state(0, 0, Health::kUp, kStart);
  EXPECT_EQ(state.observe(bad(), kStart), Health::kDown);
  EXPECT_EQ(state.observe(good(), kStart), Health::kUp);
}

TEST(HealthState, IsForcedOnlyOnce) {
  HealthState state(2, 3, Health::kUnknown, kStart);
  EXPECT_TRUE(state.force(Health::kUp, "not checked", kStart + 1s));
  EXPECT_FALSE(state.force(Health::kUp, "not checked", kStart + 2s));
  EXPECT_EQ(state.since(), kStart + 1s);
  EXPECT_EQ(state.last_text(), "not checked");
}

}  // namespace
}  // namespace ballast::healthcheck
