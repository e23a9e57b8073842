#include "dataplane/scheduler/maglev.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <map>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/scheduler/round_robin.h"
#include "tests/unit/scheduler/scheduler_fixture.h"

namespace ballast {
namespace {

using testing::Each;

using Servers = std::vector<SchedulableServer>;

// Many more clients than flow_number() has, in both families.
FlowKey flow_of(uint32_t number) {
  FlowKey flow = flow_number(number);
  const auto byte = [number](unsigned shift) { return static_cast<uint8_t>(number >> shift); };
  flow.client = number % 2 == 0 ? IpAddress::v4({100, byte(24), byte(16), byte(8)})
                                : IpAddress::v6({0x20, 1, 0xd, 0xb8, byte(24), byte(16), byte(8)});
  return flow;
}

std::optional<ServerIndex> pick(const Scheduler& scheduler, const FlowKey& flow) {
  SchedulerCursor cursor;
  const NoLoads loads;
  const ServerIndex server = scheduler.pick({flow, loads, cursor});
  return server != kNoServer ? std::optional(server) : std::nullopt;
}

std::vector<ServerIndex> pick_all(const Scheduler& scheduler, uint32_t flows) {
  std::vector<ServerIndex> picks;
  for (uint32_t i = 0; i < flows; ++i) {
    picks.push_back(pick(scheduler, flow_of(i)).value());
  }
  return picks;
}

Servers equal_servers(size_t count) {
  return servers_of_weights(std::vector<uint32_t>(count, 100));
}

// A pool of which some servers, by subscript, are down.
Maglev with_down(const Servers& servers, const std::set<size_t>& down,
                 const Scheduler* previous = nullptr) {
  Servers usable;
  Servers resting;
  for (size_t i = 0; i < servers.size(); ++i) {
    (down.contains(i) ? resting : usable).push_back(servers[i]);
  }
  Maglev scheduler;
  scheduler.set_pool({usable, resting}, previous);
  return scheduler;
}

std::set<size_t> random_set(std::mt19937& random, size_t below, size_t count) {
  std::set<size_t> chosen;
  while (chosen.size() < count) {
    chosen.insert(random() % below);
  }
  return chosen;
}

TEST(Maglev, AFlapMovesTheFlowsOfItsServerAndNotOneOther) {
  const Servers servers = equal_servers(100);
  const Maglev all = with_down(servers, {});
  const auto before = pick_all(all, 100000);
  const Maglev without = with_down(servers, {42}, &all);
  const auto during = pick_all(without, 100000);
  size_t of_the_server = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    ASSERT_NE(during[i], servers[42].server);
    if (before[i] == servers[42].server) {
      ++of_the_server;
    } else {
      ASSERT_EQ(during[i], before[i]);
    }
  }
  EXPECT_NEAR(static_cast<double>(of_the_server), 1000, 150);
  EXPECT_EQ(pick_all(with_down(servers, {}, &without), 100000), before);
}

// Also when most is down and flows are decided by competition.
TEST(Maglev, NoFlapMovesAFlowBetweenTwoOtherServers) {
  std::mt19937 random(1);
  for (const size_t count : {2U, 10U, 300U}) {
    const Servers servers = servers_of_weights([&] {
      std::vector<uint32_t> weights(count);
      std::generate(weights.begin(), weights.end(), [&] { return 1 + random() % 300; });
      return weights;
    }());
    for (int flap = 0; flap < 25; ++flap) {
      std::set<size_t> down = random_set(random, count, random() % (count - 1));
      if (flap % 5 == 0) {
        down = random_set(random, count, count - 2);
      }
      const auto before = pick_all(with_down(servers, down), 2000);
      const size_t flapper = random() % count;
      const bool goes = down.insert(flapper).second;
      if (!goes) {
        down.erase(flapper);
      } else if (down.size() == count) {
        continue;
      }
      const auto after = pick_all(with_down(servers, down), 2000);
      for (size_t i = 0; i < before.size(); ++i) {
        ASSERT_TRUE(after[i] == before[i] ||
                    (goes ? before[i] : after[i]) == servers[flapper].server);
      }
    }
  }
}

TEST(Maglev, AChangeOfHealthBuildsNoTable) {
  const Servers servers = equal_servers(1000);
  const auto start = std::chrono::steady_clock::now();
  const Maglev all = with_down(servers, {});
  const auto built = std::chrono::steady_clock::now();
  const Maglev flipped = with_down(servers, {1, 2, 3}, &all);
  const auto end = std::chrono::steady_clock::now();
  EXPECT_EQ(flipped.table(), all.table());
  using Milliseconds = std::chrono::duration<double, std::milli>;
  std::cout << "1000 servers: built in " << Milliseconds(built - start).count()
            << " ms, flipped in " << Milliseconds(end - built).count() << " ms\n";
  EXPECT_EQ(with_down(servers, {}, &flipped).table(), all.table());

  Servers heavier = servers;
  heavier[7].weight = 101;
  EXPECT_NE(with_down(heavier, {}, &all).table(), all.table());
  EXPECT_NE(with_down(equal_servers(999), {}, &all).table(), all.table());
  Servers elsewhere = servers;
  elsewhere[7].port = Big16::from_host(81);
  EXPECT_NE(with_down(elsewhere, {}, &all).table(), all.table());
  // An index is of this node alone: another one is no other server.
  Servers renumbered = servers;
  renumbered[7].server = ServerIndex{5000};
  EXPECT_EQ(with_down(renumbered, {}, &all).table(), all.table());
  RoundRobin another_kind;
  another_kind.set_servers(servers);
  EXPECT_EQ(pick_all(with_down(servers, {}, &another_kind), 1000), pick_all(all, 1000));
}

TEST(Maglev, OutlivesTheOneItsTableCameFrom) {
  const Servers servers = equal_servers(20);
  auto first = std::make_unique<Maglev>();
  first->set_servers(servers);
  const auto expected = pick_all(*first, 1000);
  const Maglev second = with_down(servers, {}, first.get());
  first.reset();
  EXPECT_EQ(pick_all(second, 1000), expected);
}

// Whatever became of a pool, only what it is now counts.
TEST(Maglev, ForgetsItsHistory) {
  std::mt19937 random(2);
  std::vector<uint32_t> weights(30, 1);
  auto present = std::make_unique<Maglev>();
  for (int change = 0; change < 60; ++change) {
    if (random() % 4 == 0) {
      weights[random() % weights.size()] = static_cast<uint32_t>(1 + random() % 10);
    }
    const Servers servers = servers_of_weights(weights);
    const std::set<size_t> down = random_set(random, weights.size(), random() % 10);
    auto next = std::make_unique<Maglev>(with_down(servers, down, present.get()));
    present = std::move(next);
    ASSERT_EQ(pick_all(*present, 500), pick_all(with_down(servers, down), 500));
  }
}

TEST(Maglev, TwoNodesGiveTheSameAnswer) {
  std::mt19937 random(3);
  for (int test = 0; test < 10; ++test) {
    std::vector<uint32_t> weights(1 + random() % 50);
    std::generate(weights.begin(), weights.end(), [&] { return 1 + random() % 200; });
    const Servers ours = servers_of_weights(weights);
    Servers theirs = ours;
    std::shuffle(theirs.begin(), theirs.end(), random);
    for (uint32_t i = 0; i < theirs.size(); ++i) {
      theirs[i].server = ServerIndex{1000 + i};  // by another history
    }
    const std::set<size_t> down = random_set(random, ours.size(), random() % ours.size());
    std::set<size_t> down_there;
    std::map<ServerIndex, IpAddress> known;
    for (size_t i = 0; i < ours.size(); ++i) {
      known[theirs[i].server] = theirs[i].address;
      for (const size_t one : down) {
        if (theirs[i].address == ours[one].address) {
          down_there.insert(i);
        }
      }
    }
    const Maglev here = with_down(ours, down);
    const Maglev there = with_down(theirs, down_there);
    for (uint32_t i = 0; i < 2000; ++i) {
      const ServerIndex pick_here = *pick(here, flow_of(i));
      ASSERT_EQ(ours[index(pick_here) - 1].address, known.at(*pick(there, flow_of(i))));
    }
  }
}

// Two nodes may run different versions: these numbers must stay what they are.
TEST(Maglev, AnswersAsEveryVersionDoes) {
  const Maglev all = with_down(servers_of_weights(std::vector<uint32_t>{1, 2, 3, 4, 5}), {});
  const Maglev few = with_down(equal_servers(400), [] {
    std::set<size_t> down;
    for (size_t i = 5; i < 400; ++i) {
      down.insert(i);
    }
    return down;
  }());
  std::string answers;
  for (uint32_t i = 0; i < 32; ++i) {
    answers += std::to_string(index(*pick(all, flow_of(i))));
    answers += std::to_string(index(*pick(few, flow_of(i))));
  }
  EXPECT_EQ(answers, "2413233314353233223552544255154522425255524431431424154342325325");
}

TEST(Maglev, EveryFieldOfTheFlowCounts) {
  const Maglev scheduler = with_down(equal_servers(1000), {});
  int moved_by[5] = {};
  for (uint32_t i = 0; i < 200; ++i) {
    const FlowKey flow = flow_of(i);
    const auto server = pick(scheduler, flow);
    std::vector<FlowKey> others(5, flow);
    others[0].client = IpAddress::v4({1, 2, 3, 4});
    others[1].vip = IpAddress::v4({192, 0, 2, 11});
    others[2].client_port = Big16::from_host(static_cast<uint16_t>(flow.client_port.to_host() + 1));
    others[3].vip_port = Big16::from_host(443);
    others[4].protocol = IpProtocol::kUdp;
    for (size_t field = 0; field < others.size(); ++field) {
      moved_by[field] += pick(scheduler, others[field]) != server ? 1 : 0;
    }
  }
  EXPECT_THAT(moved_by, Each(testing::Gt(190)));
}

// Of 100 equal servers some are down: how far the others are from equal shares, at worst. The
// allowance is for counting flows: four and a half standard deviations.
TEST(Maglev, TheRestSharesEvenlyWhenServersAreDown) {
  constexpr uint32_t kFlows = 1'000'000;
  const Servers servers = equal_servers(100);
  std::mt19937 random(4);
  for (const auto& [down, allowed] :
       std::map<size_t, double>{{1, 0.012}, {10, 0.028}, {30, 0.049}}) {
    const Maglev scheduler = with_down(servers, random_set(random, 100, down));
    std::map<ServerIndex, uint32_t> counts;
    for (uint32_t i = 0; i < kFlows; ++i) {
      ++counts[*pick(scheduler, flow_of(i))];
    }
    ASSERT_EQ(counts.size(), 100 - down);
    const double share = static_cast<double>(kFlows) / static_cast<double>(100 - down);
    double worst = 0;
    for (const auto& [server, count] : counts) {
      worst = std::max(worst, std::abs(count - share) / share);
    }
    std::cout << down << " of 100 down: worst share error " << worst * 100 << " %\n";
    EXPECT_LT(worst, allowed + 4.5 / std::sqrt(share));
  }
}

TEST(Maglev, TheLastFewServersShareByWeight) {
  std::vector<uint32_t> weights(1000, 100);
  weights[10] = 10;
  weights[20] = 30;
  weights[30] = 60;
  std::set<size_t> down;
  for (size_t i = 0; i < weights.size(); ++i) {
    down.insert(i);
  }
  down.erase(10);
  down.erase(20);
  down.erase(30);
  std::map<uint32_t, uint32_t> counts;
  for (const ServerIndex server : pick_all(with_down(servers_of_weights(weights), down), 100000)) {
    ++counts[index(server) - 1];
  }
  EXPECT_NEAR(counts[10], 10000, 400);
  EXPECT_NEAR(counts[20], 30000, 700);
  EXPECT_NEAR(counts[30], 60000, 900);
}

TEST(Maglev, RefusesWhenTheLastServerLeavesAndGoesOnAsBeforeWhenItReturns) {
  const Servers servers = equal_servers(3);
  const Maglev all = with_down(servers, {});
  const Maglev none = with_down(servers, {0, 1, 2}, &all);
  EXPECT_EQ(pick(none, flow_of(0)), std::nullopt);
  EXPECT_EQ(none.table(), all.table());
  EXPECT_EQ(pick_all(with_down(servers, {}, &none), 1000), pick_all(all, 1000));
  Maglev removed;
  removed.set_pool({}, &none);
  EXPECT_EQ(removed.table(), nullptr);
  EXPECT_EQ(pick(removed, flow_of(0)), std::nullopt);
  EXPECT_EQ(pick_all(with_down(servers, {}, &removed), 1000), pick_all(all, 1000));
}

TEST(Maglev, TakesEveryWeight) {
  std::mt19937 random(5);
  for (const size_t count : {1U, 2U, 1000U}) {
    std::vector<uint32_t> weights(count);
    std::generate(weights.begin(), weights.end(), [&] { return 1 + random() % 65535; });
    weights.front() = 1;
    weights.back() = 65535;
    const Servers servers = servers_of_weights(weights);
    for (const ServerIndex server : pick_all(with_down(servers, {}), 5000)) {
      ASSERT_LE(index(server), count);
    }
  }
}

TEST(Maglev, LeavesTheCursorAlone) {
  const Maglev scheduler = with_down(equal_servers(9), {2});
  SchedulerCursor cursor{77, 5};
  pick_once(scheduler, cursor, 3);
  EXPECT_EQ(cursor.position, 77U);
  EXPECT_EQ(cursor.salt, 5U);
}

}  // namespace
}  // namespace ballast
