#include "dataplane/scheduler/maglev_table.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <numeric>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/scheduler/maglev_hash.h"

namespace ballast {
namespace {

using testing::Each;
using testing::ElementsAreArray;

// Servers 10.0.0.0, 10.0.0.1, ... port 80.
std::vector<MaglevMember> members_of_weights(const std::vector<uint32_t>& weights) {
  std::vector<MaglevMember> members;
  for (uint32_t i = 0; i < weights.size(); ++i) {
    members.push_back({IpAddress::v4({10, static_cast<uint8_t>(i >> 16),
                                      static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)}),
                       Big16::from_host(80), weights[i]});
  }
  return members;
}

std::vector<uint32_t> random_weights(std::mt19937& random, size_t count, uint32_t heaviest) {
  std::vector<uint32_t> weights(count);
  std::generate(weights.begin(), weights.end(),
                [&] { return 1 + static_cast<uint32_t>(random() % heaviest); });
  return weights;
}

std::vector<uint32_t> counts_of(const MaglevTable& table) {
  std::vector<uint32_t> counts(table.members().size(), 0);
  for (const uint32_t member : table.slots()) {
    ++counts[member];
  }
  return counts;
}

// How many slots each server should have, not rounded.
std::vector<double> shares_of(const MaglevTable& table) {
  double sum = 0;
  for (const MaglevMember& member : table.members()) {
    sum += member.weight;
  }
  std::vector<double> shares;
  for (const MaglevMember& member : table.members()) {
    shares.push_back(member.weight / sum * static_cast<double>(table.slots().size()));
  }
  return shares;
}

// The share of all slots whose server is another one in the other table, not counting those of
// `leaver`.
double moved(const MaglevTable& before, const MaglevTable& after,
             const MaglevMember* leaver = nullptr) {
  EXPECT_EQ(before.slots().size(), after.slots().size());
  size_t count = 0;
  for (size_t slot = 0; slot < before.slots().size(); ++slot) {
    const MaglevMember& former = before.members()[before.slots()[slot]];
    const MaglevMember& present = after.members()[after.slots()[slot]];
    const bool same = former.address == present.address && former.port == present.port;
    count += same || (leaver != nullptr && former == *leaver) ? 0 : 1;
  }
  return static_cast<double>(count) / static_cast<double>(before.slots().size());
}

// The scheme as one would say it: in every round all gain credit, and those with enough of it take
// their next free slot, who has waited longest first.
std::vector<uint32_t> reference_table(const std::vector<MaglevMember>& members, size_t slots) {
  struct Waiting {
    uint32_t member;
    uint64_t credit = 0;
    uint64_t tried = 0;
  };
  uint64_t sum = 0;
  uint64_t heaviest = 0;
  for (const MaglevMember& member : members) {
    sum += member.weight;
    heaviest = std::max<uint64_t>(heaviest, member.weight);
  }
  std::vector<Waiting> queue;
  for (uint32_t i = 0; i < members.size(); ++i) {
    const bool owed_little = uint64_t{members[i].weight} * slots < 2 * sum;
    queue.push_back({i, owed_little ? heaviest - members[i].weight : 0});
  }
  std::vector<uint32_t> table(slots, ~0U);
  for (size_t left = slots; left > 0;) {
    std::vector<Waiting> served;
    std::vector<Waiting> still_waiting;
    for (Waiting one : queue) {
      one.credit += members[one.member].weight;
      if (one.credit < heaviest) {
        still_waiting.push_back(one);
        continue;
      }
      one.credit -= heaviest;
      const uint64_t hash = maglev_hash(members[one.member].address, members[one.member].port);
      size_t slot = 0;
      do {
        slot = (hash + one.tried++ * ((hash >> 32) | 1)) % slots;
      } while (left > 0 && table[slot] != ~0U);
      if (left > 0) {
        table[slot] = one.member;
        --left;
      }
      served.push_back(one);
    }
    queue = still_waiting;
    queue.insert(queue.end(), served.begin(), served.end());
  }
  return table;
}

TEST(MaglevTable, AgreesWithTheSchemeWrittenPlainly) {
  std::mt19937 random(1);
  for (int test = 0; test < 12; ++test) {
    const uint32_t heaviest = std::vector<uint32_t>{1, 3, 100, 2000}[test % 4];
    const auto members = members_of_weights(random_weights(random, 2 + random() % 40, heaviest));
    const MaglevTable table(members);
    ASSERT_THAT(reference_table(members, table.slots().size()), ElementsAreArray(table.slots()));
  }
}

TEST(MaglevTable, SharesAreExactToASlotOrTwo) {
  std::mt19937 random(2);
  for (const uint32_t heaviest : {1U, 2U, 10U, 100U, 1000U, 65535U}) {
    for (const size_t count : {2U, 3U, 10U, 100U, 655U}) {
      const MaglevTable table(members_of_weights(random_weights(random, count, heaviest)));
      const auto counts = counts_of(table);
      const auto shares = shares_of(table);
      for (size_t i = 0; i < count; ++i) {
        // What rounding down takes from all together is spread over all in proportion.
        const double spread = shares[i] * static_cast<double>(count) / 65536;
        ASSERT_NEAR(counts[i], shares[i], 1.5 + spread) << count << " servers up to " << heaviest;
      }
    }
  }
}

TEST(MaglevTable, AHundredEqualServersAreWithinHalfAPercent) {
  const MaglevTable table(members_of_weights(std::vector<uint32_t>(100, 100)));
  for (const uint32_t count : counts_of(table)) {
    EXPECT_NEAR(count, 655.36, 655.36 * 0.005);
  }
}

// The bounds are what other implementations of the scheme have measured, with room for chance.
TEST(MaglevTable, LittleMovesWhenOneOfAHundredLeaves) {
  double total = 0;
  for (uint32_t leaver = 0; leaver < 100; leaver += 10) {
    const MaglevTable before(members_of_weights(std::vector<uint32_t>(100, 100)));
    std::vector<MaglevMember> rest = before.members();
    rest.erase(rest.begin() + leaver);
    const double extra = moved(before, MaglevTable(rest), &before.members()[leaver]);
    EXPECT_LT(extra, 0.0075) << "server " << leaver;
    total += extra;
  }
  std::cout << "moved beside its own when 1 of 100 leaves: " << total / 10 * 100 << " %\n";
  EXPECT_LT(total / 10, 0.0058 * 1.1);
}

TEST(MaglevTable, NextToNothingMovesWhenAWeightChangesALittle) {
  const MaglevTable before(members_of_weights(std::vector<uint32_t>(100, 100)));
  double total = 0;
  for (size_t changed = 0; changed < 100; changed += 10) {
    std::vector<MaglevMember> members = before.members();
    members[changed].weight = 99;
    const double share = moved(before, MaglevTable(members));
    EXPECT_LT(share, 0.002) << "server " << changed;
    total += share;
  }
  std::cout << "moved by one weight 100 -> 99: " << total / 10 * 100 << " %\n";
  EXPECT_LT(total / 10, 0.0009 * 1.25);
}

TEST(MaglevTable, HasRoomForEveryNumberOfServers) {
  const auto slots = [](size_t servers) {
    return MaglevTable(members_of_weights(std::vector<uint32_t>(servers, 1))).slots().size();
  };
  EXPECT_EQ(slots(1), 1U);
  EXPECT_EQ(slots(2), 65536U);
  EXPECT_EQ(slots(655), 65536U);
  EXPECT_EQ(slots(656), 131072U);
  EXPECT_EQ(slots(1000), 131072U);
  EXPECT_EQ(slots(10485), size_t{1} << 20);
  EXPECT_EQ(slots(20000), size_t{1} << 20) << "bounded";
}

TEST(MaglevTable, MoreServersThanTheUsualBoundHaveASlotEach) {
  const size_t servers = MaglevTable::kMostSlots + 1;
  const MaglevTable table(members_of_weights(std::vector<uint32_t>(servers, 1)));
  EXPECT_EQ(table.slots().size(), 2 * MaglevTable::kMostSlots);
  EXPECT_THAT(counts_of(table), Each(testing::AllOf(testing::Ge(1U), testing::Le(2U))));
}

TEST(MaglevTable, NoServerIsWithoutASlotForItsWeight) {
  std::vector<uint32_t> one_light(300, 65535);
  one_light[299] = 1;
  std::vector<uint32_t> one_heavy(10000, 1);
  one_heavy[77] = 65535;
  std::vector<uint32_t> ladder(1000);
  std::iota(ladder.begin(), ladder.end(), 1U);
  ladder[0] = 65535;
  for (const auto& weights : {one_light, one_heavy, ladder}) {
    EXPECT_THAT(counts_of(MaglevTable(members_of_weights(weights))), Each(testing::Ge(1U)));
  }
}

TEST(MaglevTable, ALightServerAmongHeavyOnesHasNoMoreThanItsSlot) {
  std::vector<uint32_t> weights(300, 65535);
  weights[17] = 1;
  EXPECT_EQ(counts_of(MaglevTable(members_of_weights(weights)))[17], 1U);
}

TEST(MaglevTable, WhatAllWeightsHaveInCommonMakesNoDifference) {
  const MaglevTable one(members_of_weights({3, 1, 2, 5}));
  const MaglevTable other(members_of_weights({3 * 13107, 13107, 2 * 13107, 5 * 13107}));
  EXPECT_EQ(moved(one, other), 0.0);
}

// Two nodes may run different versions: these numbers must stay what they are.
TEST(MaglevTable, IsWhatEveryVersionBuilds) {
  const MaglevTable table(members_of_weights({1, 2, 3, 4, 5}));
  uint64_t digest = 14695981039346656037U;  // FNV-1a
  for (const uint32_t member : table.slots()) {
    digest = (digest ^ member) * 1099511628211U;
  }
  EXPECT_EQ(digest, 16659541008233617635U);
}

TEST(MaglevTable, IsBuiltAtOnceFromAnyWeights) {
  std::vector<uint32_t> one_heavy(10000, 1);
  one_heavy[0] = 65535;
  std::mt19937 random(3);
  const std::vector<std::pair<const char*, std::vector<uint32_t>>> cases{
      {"100 servers, equal", std::vector<uint32_t>(100, 1)},
      {"655 servers, equal", std::vector<uint32_t>(655, 1)},
      {"1000 servers, equal", std::vector<uint32_t>(1000, 1)},
      {"1000 servers, weights 1-65535", random_weights(random, 1000, 65535)},
      {"10000 servers, equal", std::vector<uint32_t>(10000, 1)},
      {"10000 servers, one of 65535", one_heavy},
      {"100000 servers, weights 1-65535", random_weights(random, 100000, 65535)},
  };
  for (const auto& [name, weights] : cases) {
    std::vector<MaglevMember> members = members_of_weights(weights);
    const auto start = std::chrono::steady_clock::now();
    const MaglevTable table(std::move(members));
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    ASSERT_THAT(counts_of(table), Each(testing::Ge(1U))) << name;
    std::cout << name << ": " << table.slots().size() << " slots in " << took.count() << " ms\n";
  }
}

}  // namespace
}  // namespace ballast
