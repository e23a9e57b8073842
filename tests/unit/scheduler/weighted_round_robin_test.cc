#include "dataplane/scheduler/weighted_round_robin.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/scheduler/scheduler_fixture.h"

namespace ballast {
namespace {

using testing::ElementsAre;

std::vector<uint32_t> picks_over(const std::vector<uint32_t>& weights, size_t count) {
  WeightedRoundRobin scheduler;
  scheduler.set_servers(servers_of_weights(weights));
  SchedulerCursor cursor;
  return pick_many(scheduler, cursor, count);
}

std::vector<uint32_t> counts_of(const std::vector<uint32_t>& picks, size_t servers) {
  std::vector<uint32_t> counts(servers, 0);
  for (const uint32_t pick : picks) {
    ++counts[pick];
  }
  return counts;
}

uint64_t sum_of(const std::vector<uint32_t>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), uint64_t{0});
}

// The greedy algorithm of nginx, as the reference for smoothness.
std::vector<uint32_t> nginx_round(const std::vector<uint32_t>& weights) {
  const auto sum = static_cast<int64_t>(sum_of(weights));
  std::vector<int64_t> current(weights.size(), 0);
  std::vector<uint32_t> picks;
  for (int64_t i = 0; i < sum; ++i) {
    for (size_t s = 0; s < weights.size(); ++s) {
      current[s] += weights[s];
    }
    const auto best = std::max_element(current.begin(), current.end());
    *best -= sum;
    picks.push_back(static_cast<uint32_t>(best - current.begin()));
  }
  return picks;
}

// Over all servers and pairs of consecutive turns, the round being repeated: the squared distance
// of the gap from the ideal one. 0 is perfect.
double roughness(const std::vector<uint32_t>& round, const std::vector<uint32_t>& weights) {
  double total = 0;
  for (uint32_t server = 0; server < weights.size(); ++server) {
    std::vector<size_t> turns;
    for (size_t i = 0; i < round.size(); ++i) {
      if (round[i] == server) {
        turns.push_back(i);
      }
    }
    turns.push_back(turns.front() + round.size());
    const double ideal = static_cast<double>(round.size()) / static_cast<double>(turns.size() - 1);
    for (size_t i = 1; i < turns.size(); ++i) {
      const double off = static_cast<double>(turns[i] - turns[i - 1]) - ideal;
      total += off * off;
    }
  }
  return total / static_cast<double>(round.size());
}

// In every window of the endless sequence, floor(kp)-1 <= picks <= ceil(kp)+1. Windows longer than
// a round follow from those up to one, since a round is exact.
void expect_fair_windows(const std::vector<uint32_t>& round, const std::vector<uint32_t>& turns) {
  const size_t length = round.size();
  for (uint32_t server = 0; server < turns.size(); ++server) {
    std::vector<uint64_t> before(2 * length + 1, 0);
    for (size_t i = 0; i < 2 * length; ++i) {
      before[i + 1] = before[i] + (round[i % length] == server ? 1 : 0);
    }
    for (size_t start = 0; start < length; ++start) {
      for (size_t k = 1; k <= length; ++k) {
        const uint64_t got = before[start + k] - before[start];
        const uint64_t share = k * turns[server];
        ASSERT_LE(share / length, got + 1) << "server " << server << " at " << start << "+" << k;
        ASSERT_LE(got, (share + length - 1) / length + 1)
            << "server " << server << " at " << start << "+" << k;
      }
    }
  }
}

TEST(WeightedRoundRobin, InterleavesTheHeavyServerWithTheLight) {
  EXPECT_THAT(picks_over({5, 1, 1}, 14), ElementsAre(0, 0, 1, 0, 0, 2, 0, 0, 0, 1, 0, 0, 2, 0));
  EXPECT_THAT(picks_over({2, 1}, 6), ElementsAre(0, 1, 0, 0, 1, 0));
  EXPECT_THAT(picks_over({1, 1, 1, 1}, 5), ElementsAre(0, 1, 2, 3, 0));
}

TEST(WeightedRoundRobin, GivesExactSharesOverARound) {
  EXPECT_THAT(counts_of(picks_over({5, 1, 1}, 7), 3), ElementsAre(5, 1, 1));
  std::mt19937 random(1);
  for (int test = 0; test < 200; ++test) {
    std::vector<uint32_t> weights(1 + random() % 30);
    std::generate(weights.begin(), weights.end(), [&] { return 1 + random() % 300; });
    ASSERT_EQ(counts_of(picks_over(weights, sum_of(weights)), weights.size()), weights);
  }
}

TEST(WeightedRoundRobin, DividesWeightsByWhatTheyHaveInCommon) {
  EXPECT_THAT(counts_of(picks_over({50000, 10000, 10000}, 7), 3), ElementsAre(5, 1, 1));
  EXPECT_EQ(picks_over({65535, 65535}, 100), picks_over({1, 1}, 100));
}

TEST(WeightedRoundRobin, IsFairInEveryWindow) {
  std::mt19937 random(2);
  for (int test = 0; test < 150; ++test) {
    std::vector<uint32_t> weights(2 + random() % 12);
    std::generate(weights.begin(), weights.end(), [&] { return 1 + random() % 25; });
    if (test % 3 == 0) {
      weights[random() % weights.size()] = 100;
    }
    ASSERT_NO_FATAL_FAILURE(expect_fair_windows(picks_over(weights, sum_of(weights)), weights))
        << testing::PrintToString(weights);
  }
}

// Tijdeman's bound: never further than 1 - 1/(2n-2) from the exact share, after any number of
// turns.
TEST(WeightedRoundRobin, NeverStraysAWholeTurnFromTheExactShare) {
  std::mt19937 random(5);
  for (int test = 0; test < 300; ++test) {
    std::vector<uint32_t> weights(2 + random() % 40);
    std::generate(weights.begin(), weights.end(), [&] { return 1 + random() % 100; });
    const auto round = picks_over(weights, sum_of(weights));
    const double allowed = 1.0 - 1.0 / (2.0 * static_cast<double>(weights.size()) - 2.0) + 1e-9;
    std::vector<uint32_t> had(weights.size(), 0);
    for (size_t k = 1; k <= round.size(); ++k) {
      ++had[round[k - 1]];
      for (size_t i = 0; i < weights.size(); ++i) {
        const double share =
            static_cast<double>(k * weights[i]) / static_cast<double>(round.size());
        ASSERT_LE(std::abs(had[i] - share), allowed) << "server " << i << " after " << k;
      }
    }
  }
}

TEST(WeightedRoundRobin, IsAboutAsSmoothAsNginx) {
  std::mt19937 random(3);
  double ours = 0;
  double theirs = 0;
  for (int test = 0; test < 300; ++test) {
    std::vector<uint32_t> weights(2 + random() % 12);
    std::generate(weights.begin(), weights.end(), [&] { return 1 + random() % 20; });
    weights.front() = test % 2 == 0 ? 60 : weights.front();
    const auto round = picks_over(weights, sum_of(weights));
    ours += roughness(round, weights);
    theirs += roughness(nginx_round(weights), weights);
  }
  RecordProperty("ours", std::to_string(ours));
  RecordProperty("nginx", std::to_string(theirs));
  EXPECT_LE(ours, 1.25 * theirs);
}

TEST(WeightedRoundRobin, RoundsVeryLongRoundsByLargestRemainder) {
  const std::vector<uint32_t> weights{65535, 65534, 32768, 1, 1};
  const uint32_t longest = WeightedRoundRobin::kLongestRound;
  const auto picks = picks_over(weights, longest);
  const auto counts = counts_of(picks, weights.size());
  EXPECT_EQ(counts[3], 1U);
  EXPECT_EQ(counts[4], 1U);
  const double rest = 65535.0 + 65534.0 + 32768.0;
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(counts[i], weights[i] / rest * (longest - 2), 1.0);
  }
  WeightedRoundRobin scheduler;
  scheduler.set_servers(servers_of_weights(weights));
  SchedulerCursor cursor;
  pick_many(scheduler, cursor, longest);
  EXPECT_EQ(cursor.position, 0U) << "the round is not " << longest << " turns";
}

TEST(WeightedRoundRobin, KeepsTheLongestRoundExactAndShortensTheNext) {
  const uint32_t longest = WeightedRoundRobin::kLongestRound;
  EXPECT_THAT(counts_of(picks_over({longest - 1, 1}, longest), 2), ElementsAre(longest - 1, 1));
  EXPECT_THAT(counts_of(picks_over({longest, 1}, longest), 2), ElementsAre(longest - 1, 1));
  EXPECT_THAT(counts_of(picks_over({65535, 1}, longest), 2), ElementsAre(longest - 1, 1));
}

TEST(WeightedRoundRobin, KeepsEveryServerInRandomLongRounds) {
  std::mt19937 random(4);
  for (int test = 0; test < 20; ++test) {
    std::vector<uint32_t> weights(2 + random() % 2000);
    std::generate(weights.begin(), weights.end(),
                  [&] { return random() % 4 == 0 ? 1 : 1 + random() % 65535; });
    const auto counts =
        counts_of(picks_over(weights, WeightedRoundRobin::kLongestRound), weights.size());
    ASSERT_GE(*std::min_element(counts.begin(), counts.end()), 1U);
    for (size_t i = 0; i < weights.size(); ++i) {
      for (size_t j = i + 1; j < std::min(weights.size(), i + 20); ++j) {
        if (weights[i] > weights[j]) {
          ASSERT_GE(counts[i], counts[j]) << weights[i] << " and " << weights[j];
        }
      }
    }
  }
}

TEST(WeightedRoundRobin, GivesOneTurnEachToMoreServersThanTurns) {
  std::vector<uint32_t> weights(20000);
  std::iota(weights.begin(), weights.end(), 1U);
  const auto counts = counts_of(picks_over(weights, weights.size()), weights.size());
  EXPECT_THAT(counts, testing::Each(1U));
}

TEST(WeightedRoundRobin, KeepsItsSharesOnEveryWorker) {
  WeightedRoundRobin scheduler;
  scheduler.set_servers(servers_of_weights(std::vector<uint32_t>{5, 1, 1}));
  for (uint32_t worker = 0; worker < 8; ++worker) {
    SchedulerCursor cursor{0xfffffff0U, worker};
    EXPECT_THAT(counts_of(pick_many(scheduler, cursor, 7), 3), ElementsAre(5, 1, 1));
  }
}

}  // namespace
}  // namespace ballast
