// What every scheduler of the list must hold.
#include "dataplane/scheduler/scheduler_list.h"

#include <algorithm>
#include <random>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/scheduler/scheduler_fixture.h"

namespace ballast {

static void PrintTo(const SchedulerDescription& scheduler, std::ostream* out) {
  *out << scheduler.name;
}

namespace {

using testing::Each;

class EveryScheduler : public testing::TestWithParam<SchedulerDescription> {
 protected:
  static std::unique_ptr<Scheduler> over(std::span<const SchedulableServer> servers) {
    std::unique_ptr<Scheduler> scheduler = GetParam().make();
    scheduler->set_servers(servers);
    return scheduler;
  }
};

INSTANTIATE_TEST_SUITE_P(List, EveryScheduler,
                         testing::ValuesIn(all_schedulers().begin(), all_schedulers().end()),
                         [](const auto& param) { return std::string(param.param.name); });

std::vector<uint32_t> random_weights(std::mt19937& random, size_t count, uint32_t heaviest) {
  std::vector<uint32_t> weights(count);
  for (uint32_t& weight : weights) {
    weight = 1 + static_cast<uint32_t>(random() % heaviest);
  }
  return weights;
}

TEST_P(EveryScheduler, PicksNothingWhenThereAreNoServers) {
  SchedulerCursor cursor{7, 3};
  EXPECT_EQ(pick_once(*GetParam().make(), cursor), std::nullopt);
  EXPECT_EQ(pick_once(*over({}), cursor), std::nullopt);
}

TEST_P(EveryScheduler, AlwaysPicksTheOnlyServer) {
  for (const uint32_t weight : {1U, 7U, 65535U}) {
    const auto scheduler = over(servers_of_weights(std::vector{weight}));
    SchedulerCursor cursor{0, 5};
    EXPECT_THAT(pick_many(*scheduler, cursor, 100), Each(0U));
  }
}

TEST_P(EveryScheduler, NeverPicksAServerItWasNotGiven) {
  std::mt19937 random(1);
  for (int round = 0; round < 100; ++round) {
    auto servers = servers_of_weights(random_weights(random, 1 + random() % 40, 300));
    std::set<uint32_t> known;
    for (SchedulableServer& server : servers) {
      server.server = ServerIndex{1 + static_cast<uint32_t>(random())};
      known.insert(index(server.server));
    }
    const auto scheduler = over(servers);
    for (uint32_t i = 0; i < 200; ++i) {
      SchedulerCursor cursor{static_cast<uint32_t>(random()), static_cast<uint32_t>(random())};
      ASSERT_TRUE(known.contains(index(pick_once(*scheduler, cursor, i).value())));
    }
  }
}

TEST_P(EveryScheduler, IsDeterministic) {
  std::mt19937 random(2);
  const auto servers = servers_of_weights(random_weights(random, 20, 100));
  SchedulerCursor first{0, 2};
  SchedulerCursor second{0, 2};
  EXPECT_EQ(pick_many(*over(servers), first, 3000), pick_many(*over(servers), second, 3000));
}

TEST_P(EveryScheduler, DoesNotDependOnTheOrderOfTheServers) {
  std::mt19937 random(3);
  for (int round = 0; round < 20; ++round) {
    auto servers = servers_of_weights(random_weights(random, 12, 20));
    SchedulerCursor first;
    const auto picks = pick_many(*over(servers), first, 1000);
    std::shuffle(servers.begin(), servers.end(), random);
    SchedulerCursor second;
    ASSERT_EQ(pick_many(*over(servers), second, 1000), picks);
  }
}

TEST_P(EveryScheduler, TakesAnyCursor) {
  const auto scheduler = over(servers_of_weights(std::vector<uint32_t>{3, 1, 2}));
  for (const uint32_t position : {0U, 1U, 6U, 7U, 0x7fffffffU, 0xfffffffeU, 0xffffffffU}) {
    for (const uint32_t salt : {0U, 1U, 63U, 0x80000000U, 0xffffffffU}) {
      SchedulerCursor cursor{position, salt};
      for (const uint32_t pick : pick_many(*scheduler, cursor, 20)) {
        ASSERT_LT(pick, 3U);
      }
      ASSERT_EQ(cursor.salt, salt);
    }
  }
}

TEST_P(EveryScheduler, GoesOnWithTheSameCursorWhenServersChange) {
  std::mt19937 random(4);
  SchedulerCursor cursor{0, 1};
  for (int change = 0; change < 200; ++change) {
    const size_t count = 1 + random() % 30;
    const auto scheduler = over(servers_of_weights(random_weights(random, count, 50)));
    for (const uint32_t pick : pick_many(*scheduler, cursor, 1 + random() % 100)) {
      ASSERT_LT(pick, count);
    }
  }
}

TEST_P(EveryScheduler, UsesEveryServerOnEveryWorker) {
  const auto scheduler = over(servers_of_weights(std::vector<uint32_t>{1, 2, 3, 1, 5}));
  for (uint32_t worker = 0; worker < 16; ++worker) {
    SchedulerCursor cursor{0, worker};
    const auto picks = pick_many(*scheduler, cursor, 200);
    EXPECT_EQ(std::set(picks.begin(), picks.end()).size(), 5U) << "worker " << worker;
  }
}

TEST_P(EveryScheduler, PicksByTheFlowAloneIfItSaysThatItHashes) {
  const auto scheduler = over(servers_of_weights(std::vector<uint32_t>{3, 1, 2, 7}));
  if (!scheduler->hashes()) {
    return;
  }
  std::mt19937 random(5);
  SchedulerCursor fresh;
  const auto picks = pick_many(*scheduler, fresh, 500);
  for (uint32_t i = 0; i < 500; ++i) {
    SchedulerCursor any{static_cast<uint32_t>(random()), static_cast<uint32_t>(random())};
    ASSERT_EQ(index(pick_once(*scheduler, any, i).value()) - 1, picks[i]);
  }
}

TEST_P(EveryScheduler, NeverPicksAServerThatRests) {
  const auto servers = servers_of_weights(std::vector<uint32_t>{3, 1, 2, 7, 1, 1});
  const auto first = GetParam().make();
  first->set_pool({servers, {}}, nullptr);
  const auto second = GetParam().make();
  const std::span all(servers);
  second->set_pool({all.first(2), all.subspan(2)}, first.get());
  SchedulerCursor cursor;
  const auto picks = pick_many(*second, cursor, 500);
  EXPECT_EQ(std::set(picks.begin(), picks.end()), (std::set<uint32_t>{0, 1}));
  const auto third = GetParam().make();
  third->set_pool({{}, all}, second.get());
  EXPECT_EQ(pick_once(*third, cursor), std::nullopt);
}

TEST_P(EveryScheduler, CanBeGivenOtherServersLater) {
  const auto scheduler = over(servers_of_weights(std::vector<uint32_t>{1, 2, 3}));
  scheduler->set_servers(servers_of_weights(std::vector<uint32_t>{4}));
  SchedulerCursor cursor{5, 0};
  EXPECT_THAT(pick_many(*scheduler, cursor, 10), Each(0U));
}

TEST(SchedulerList, FindsEachByItsNameAndNothingElse) {
  std::set<std::string_view> names;
  for (const SchedulerDescription& scheduler : all_schedulers()) {
    EXPECT_TRUE(names.insert(scheduler.name).second) << scheduler.name << " is listed twice";
    ASSERT_NE(find_scheduler(scheduler.name), nullptr);
    EXPECT_EQ(find_scheduler(scheduler.name)->make, scheduler.make);
    EXPECT_FALSE(scheduler.summary.empty());
  }
  EXPECT_EQ(find_scheduler(""), nullptr);
  EXPECT_EQ(find_scheduler("RR"), nullptr);
  EXPECT_EQ(find_scheduler("rr "), nullptr);
}

TEST(SchedulerList, SaysWhichOnesHash) {
  EXPECT_TRUE(find_scheduler("mh")->make()->hashes());
  EXPECT_FALSE(find_scheduler("rr")->make()->hashes());
  EXPECT_FALSE(find_scheduler("wrr")->make()->hashes());
}

}  // namespace
}  // namespace ballast
